import Yams

/// Decodes a recipe, a YAML file, into any `Decodable` type, with precise error messages.
///
/// A key that the type does not decode is an error, as is a value of another type: integers have no
/// fraction and no quotes, Booleans are `true` or `false`, numbers are finite.
/// Enumerations of strings should be `CaseIterable`, so that a message can list them.
/// ```swift
/// let recipe = try RecipeDecoder.decode(
///   Recipe.self, contentsOf: "Recipes/mnist.yaml", settings: [RecipeSetting("method.order=1")])
/// ```
public enum RecipeDecoder {
  /// Reads a file, or a pipe to its end.
  ///
  /// - Parameter settings: Overrides, each applied to the tree before it is decoded.
  /// - Throws: `RecipeError` with the place of the first thing that is wrong.
  public static func decode<Value: Decodable>(
    _ type: Value.Type = Value.self, contentsOf file: String, settings: [RecipeSetting] = []
  ) throws(RecipeError) -> Value {
    let yaml = try RecipeFile.text(of: file)
    return try decode(type, yaml: yaml, file: file, settings: settings)
  }

  /// Reads a text; `file` is the name that messages give it.
  ///
  /// - Throws: `RecipeError` with the place of the first thing that is wrong.
  public static func decode<Value: Decodable>(
    _ type: Value.Type = Value.self, yaml: String, file: String, settings: [RecipeSetting] = []
  ) throws(RecipeError) -> Value {
    let document = try RecipeDocument(yaml: yaml, file: file, settings: settings)
    return try RecipeNode(document, document.root, at: []).decode(type)
  }
}

/// One node of a recipe while a type reads itself from it.
final class RecipeNode: Decoder {
  let document: RecipeDocument
  let node: Node
  let codingPath: [any CodingKey]
  /// The keys that the type asked its keyed containers for, in order; nil before the first container.
  private var asked: [String]?
  /// The number of elements read from the list; nil before it was opened.
  private var read: Int?
  /// The nested containers that the type opened.
  private var inner: [RecipeNode] = []
  /// The group whose keys this node overrides, as those of a preset; nil where absent keys have their
  /// defaults.
  let standing: (any RecipeGroup)?
  /// The groups whose keys are overridden, by the keys of this node that they stand under.
  var standingGroups: [String: any RecipeGroup] = [:]

  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(
    _ document: RecipeDocument, _ node: Node, at path: [any CodingKey],
    over standing: (any RecipeGroup)? = nil
  ) {
    self.document = document
    self.node = node
    self.standing = standing
    codingPath = path
  }

  func container<Key>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(try RecipeMapping(self))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try RecipeList(self) }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    RecipeValue(owner: self)
  }

  /// Decodes a value from this node, then looks for keys and elements that the type did not read.
  func decode<Value: Decodable>(_ type: Value.Type) throws(RecipeError) -> Value {
    if let scalar = type as? any RecipeScalar.Type {
      guard let value = read(scalar) as? Value else {
        let expected = node.scalar.map { scalar.expected(insteadOf: $0) }
        throw wrongType(expected: expected ?? scalar.expected)
      }
      return value
    }
    let value: Value
    do {
      value = try Value(from: self)
    } catch {
      throw located(error, reading: type)
    }
    try checkAllRead()
    return value
  }

  /// Throws for keys that have been renamed.
  func refuse(oldNames: [String: String]) throws(RecipeError) {
    try refuse { key in
      oldNames[key].map { new in { place in .renamedKey(place, key: key, new: new) } }
    }
  }

  /// Throws the error that a key has, if any, at the place of the first such key.
  func refuse(
    _ fault: (String) -> ((RecipePlace) -> RecipeError)?
  ) throws(RecipeError) {
    guard case .mapping(let mapping) = node else { return }
    for (key, _) in mapping {
      guard let name = key.scalar?.string, let error = fault(name) else { continue }
      throw error(place(of: key, named: name))
    }
  }

  /// The place of a key, whose path is that of the mapping around it.
  private func place(of key: Node, named name: String) -> RecipePlace {
    let own = document.place(of: codingPath + [RecipeKey(name)], mark: key.mark)
    let around = document.place(of: codingPath).path
    return RecipePlace(source: own.source, line: own.line, column: own.column, path: around)
  }

  /// A nested node, whose unread keys and elements count as this node's.
  func opened(_ node: Node, _ key: any CodingKey) -> RecipeNode {
    let child = RecipeNode(document, node, at: codingPath + [key])
    inner.append(child)
    return child
  }

  func ask(for key: String) {
    if asked?.contains(key) != true { asked = (asked ?? []) + [key] }
  }

  func openMapping() { asked = asked ?? [] }

  func readElements(_ count: Int) { read = max(read ?? 0, count) }

  func wrongType(expected: String) -> RecipeError {
    .wrongType(document.place(of: codingPath), found: node.inWords, expected: expected)
  }

  private func read<Scalar: RecipeScalar>(_ type: Scalar.Type) -> Scalar? {
    node.scalar.flatMap(Scalar.read)
  }

  private func checkAllRead() throws(RecipeError) {
    if let asked, case .mapping(let mapping) = node {
      for (key, _) in mapping {
        guard let name = key.scalar?.string else {
          throw .wrongType(
            document.place(of: codingPath, mark: key.mark),
            found: "a mapping with \(key.inWords) as a key", expected: "a word as a key")
        }
        if asked.contains(name) { continue }
        throw .unknownKey(place(of: key, named: name), key: name, valid: asked)
      }
    }
    if let read, case .sequence(let sequence) = node, sequence.count > read {
      throw wrongType(expected: "a list of \(read)")
    }
    for child in inner { try child.checkAllRead() }
  }

  /// Adds the place to an error that a type threw while it was decoded.
  private func located<Value>(_ error: any Error, reading type: Value.Type) -> RecipeError {
    switch error {
    case let error as RecipeError:
      return error
    case let error as InvalidRecipeValue:
      let path = error.isAbsolute ? error.path : codingPath + error.path
      return .invalid(document.place(of: path), found: error.found, reason: error.reason)
    case DecodingError.dataCorrupted(let context):
      if let scalar = node.scalar, let names = stringCases(of: type) {
        return .unknownValue(document.place(of: codingPath), found: scalar.string, valid: names)
      }
      return invalid(context)
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      return invalid(context)
    case DecodingError.keyNotFound(let key, let context):
      return .missingKey(
        document.place(of: context.codingPath), key: key.stringValue, similar: nil)
    default:
      return .invalid(document.place(of: codingPath), found: node.inWords, reason: "\(error)")
    }
  }

  private func invalid(_ context: DecodingError.Context) -> RecipeError {
    let path = context.codingPath.count < codingPath.count ? codingPath : context.codingPath
    let found = document.node(at: path)?.inWords ?? "empty"
    return .invalid(document.place(of: path), found: found, reason: context.debugDescription)
  }
}

/// The raw values of an enumeration of strings, or nil for all other types.
func stringCases(of type: Any.Type) -> [String]? {
  func names<Cases: CaseIterable>(_: Cases.Type) -> [String] {
    Cases.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
  }
  guard let cases = type as? any CaseIterable.Type else { return nil }
  let found = names(cases)
  return found.isEmpty ? nil : found
}
