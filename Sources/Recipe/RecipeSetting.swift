import Yams

/// One override of a recipe, as in `--set method.order=1`.
public struct RecipeSetting: Hashable, Sendable {
  /// The override as it was written, `path=value`.
  public let text: String
  /// The keys that lead to the value; a list's element is its number, from 0.
  public let path: [String]
  /// The value as YAML: a scalar or a flow value such as `[0.9, 0.95]`.
  public let value: String
  /// The source of the override, which messages put before its text: `--set` for the command line.
  public let origin: String
  /// The value where it is a text that is never parsed.
  let literal: String?

  /// Reads `path=value`, where the path is written `layers[2].width` or `layers.2.width`.
  ///
  /// - Parameter origin: What messages call it, before its text.
  /// - Throws: `RecipeError.badSetting` where the path or the value is missing, or where YAML would
  ///   read another value than the whole text behind `=`, as with a comment after it.
  public init(_ text: String, from origin: String = "--set") throws(RecipeError) {
    func wrong(_ reason: String) -> RecipeError {
      .badSetting(origin: origin, text: text, reason: reason)
    }
    guard let equals = text.firstIndex(of: "=") else {
      throw wrong("no `=`: write the key's path, `=` and the value")
    }
    (self.text, self.origin, literal) = (text, origin, nil)
    switch Self.keys(of: text[..<equals]) {
    case .success(let keys): path = keys
    case .failure(let error): throw wrong(error.reason)
    }
    value = String(text[text.index(after: equals)...])
    if value.allSatisfy(\.isWhitespace) {
      throw wrong("the value is empty: write null to clear a key")
    }
    _ = try node()
  }

  /// Sets the value at a path of keys to a text, which is not parsed as YAML.
  ///
  /// - Parameter origin: What messages call it, before its text.
  public init(
    _ keys: [String], to text: String, from origin: String = "set by the command:"
  ) {
    self.init(keys, yaml: yamlQuoted(text), literal: text, from: origin)
  }

  /// Sets the value at a path of keys to an integer.
  ///
  /// - Parameter origin: What messages call it, before its text.
  public init(_ keys: [String], to number: Int, from origin: String = "set by the command:") {
    self.init(keys, yaml: "\(number)", literal: nil, from: origin)
  }

  private init(_ keys: [String], yaml: String, literal: String?, from origin: String) {
    text = keys.joined(separator: ".") + "=" + yaml
    (path, value, self.origin, self.literal) = (keys, yaml, origin, literal)
  }

  /// The override with its source, as in messages.
  var name: String { "\(origin) \(text)" }

  /// Puts the value into the tree and creates missing mappings on the way.
  ///
  /// - Returns: The path of the topmost node that the override brought.
  func apply(to root: inout Node) throws(RecipeError) -> [String] {
    let node = try node()
    var brought = path.count
    root = try replacing(root, at: 0, with: node, brought: &brought)
    return Array(path.prefix(brought))
  }

  func failure(_ reason: String) -> RecipeError {
    .badSetting(origin: origin, text: text, reason: reason)
  }

  private func replacing(
    _ node: Node, at depth: Int, with value: Node, brought: inout Int
  ) throws(RecipeError) -> Node {
    guard depth < path.count else { return value }
    let key = path[depth]
    switch node {
    case .mapping(var mapping):
      if let index = mapping.firstIndex(where: { $0.key.scalar?.string == key }) {
        let old = mapping[index]
        mapping[index].value = try replacing(
          old.value, at: depth + 1, with: value, brought: &brought)
      } else {
        brought = min(brought, depth + 1)
        let empty = Node.mapping([:])
        mapping[Node(key, .implicit, .plain)] = try replacing(
          empty, at: depth + 1, with: value, brought: &brought)
      }
      return .mapping(mapping)
    case .sequence(var sequence):
      guard let index = Int(key), "\(index)" == key, sequence.indices.contains(index) else {
        throw failure("\(named(depth)) is a list of \(sequence.count) and has no element \(key)")
      }
      sequence[index] = try replacing(
        sequence[index], at: depth + 1, with: value, brought: &brought)
      return .sequence(sequence)
    case .scalar(let scalar) where scalar.isNull:
      return try replacing(.mapping([:]), at: depth, with: value, brought: &brought)
    case .scalar, .alias:
      throw failure("\(named(depth)) is \(node.inWords) and has no key `\(key)` to set")
    }
  }

  private func named(_ depth: Int) -> String {
    depth == 0 ? "the top level" : "`\(path.prefix(depth).joined(separator: "."))`"
  }
}

extension RecipeSetting {
  /// An error in a path of keys.
  private struct WrongPath: Error {
    let reason: String
  }

  /// The keys of a path such as `layers[2].width`.
  private static func keys(of path: Substring) -> Result<[String], WrongPath> {
    func wrong(_ reason: String) -> Result<[String], WrongPath> {
      .failure(WrongPath(reason: "\(reason): write it as in method.order=1 or layers[2].width=64"))
    }
    if let odd = path.unicodeScalars.first(where: {
      $0.properties.isWhitespace || $0.value < 0x20 || "\"'{},#:".unicodeScalars.contains($0)
    }) {
      let what = odd.properties.isWhitespace ? "a blank" : "the character \(yamlQuoted("\(odd)"))"
      return wrong("the path of keys before `=`, \(yamlQuoted(String(path))), has \(what)")
    }
    let key = #/[^.\[\]]+(?:\[[0-9]+\])*/#
    var keys: [String] = []
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      if part.isEmpty { return wrong("a key of the path is empty") }
      guard part.wholeMatch(of: key) != nil else {
        return wrong("`\(part)` is no key: brackets hold the number of an element, from 0")
      }
      keys += part.split(whereSeparator: { $0 == "[" || $0 == "]" }).map(String.init)
    }
    return .success(keys)
  }
}
