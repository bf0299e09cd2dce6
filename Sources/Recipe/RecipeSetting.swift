import Yams

/// One override of a recipe from the command line, as in `--set method.order=1`.
public struct RecipeSetting: Equatable, Sendable {
  /// The override as it was written.
  public let text: String
  /// The keys that lead to the value; a list's element is its number, from 0.
  public let path: [String]
  /// The value, a YAML scalar or flow value such as `[0.9, 0.95]`.
  public let value: String

  /// Reads `path=value`, where the path is written `layers[2].width` or `layers.2.width`.
  ///
  /// - Throws: `RecipeError.badSetting` where the path or the value is missing.
  public init(_ text: String) throws(RecipeError) {
    guard let equals = text.firstIndex(of: "=") else {
      throw .badSetting(text, reason: "no `=`: write the key's path, `=` and the value")
    }
    self.text = text
    path = text[..<equals].replacing("[", with: ".").replacing("]", with: "")
      .split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    value = String(text[text.index(after: equals)...])
    if path.contains("") {
      throw .badSetting(text, reason: "a key of the path is empty: write it as in method.order=1")
    }
    if value.allSatisfy(\.isWhitespace) {
      throw .badSetting(text, reason: "the value is empty: write null to clear a key")
    }
  }

  /// Puts the value into the tree, making the mappings on its way that are not there yet.
  ///
  /// - Returns: The path of the topmost node that the override brought.
  func apply(to root: inout Node) throws(RecipeError) -> [String] {
    let node: Node
    do {
      guard let parsed = try Yams.compose(yaml: value) else {
        throw RecipeError.badSetting(text, reason: "the value is empty: write null to clear a key")
      }
      node = parsed
    } catch let error as RecipeError {
      throw error
    } catch {
      throw .badSetting(text, reason: "the value is not valid YAML: \(YAMLProblem(error).text)")
    }
    var brought = path.count
    root = try replacing(root, at: 0, with: node, brought: &brought)
    return Array(path.prefix(brought))
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
      guard let index = Int(key), sequence.indices.contains(index) else {
        throw .badSetting(
          text, reason: "\(named(depth)) is a list of \(sequence.count) and has no element \(key)")
      }
      sequence[index] = try replacing(
        sequence[index], at: depth + 1, with: value, brought: &brought)
      return .sequence(sequence)
    case .scalar(let scalar) where scalar.isNull:
      return try replacing(.mapping([:]), at: depth, with: value, brought: &brought)
    case .scalar, .alias:
      throw .badSetting(
        text, reason: "\(named(depth)) is \(node.inWords) and has no key `\(key)` to set")
    }
  }

  private func named(_ depth: Int) -> String {
    depth == 0 ? "the top level" : "`\(path.prefix(depth).joined(separator: "."))`"
  }
}
