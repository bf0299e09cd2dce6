import Files
import Yams

/// A key by its name.
struct RecipeKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// A mapping that a type reads by keys.
struct RecipeMapping<Key: CodingKey>: KeyedDecodingContainerProtocol {
  private let owner: RecipeNode
  private let values: [String: Node]
  private let names: [String]

  init(_ owner: RecipeNode) throws(RecipeError) {
    guard case .mapping(let mapping) = owner.node else {
      throw owner.wrongType(expected: "a mapping of keys to values")
    }
    let pairs = mapping.compactMap { pair in pair.key.scalar.map { ($0.string, pair.value) } }
    values = Dictionary(pairs, uniquingKeysWith: { $1 })
    names = pairs.map(\.0)
    self.owner = owner
    owner.openMapping()
  }

  var codingPath: [any CodingKey] { owner.codingPath }
  var allKeys: [Key] { names.compactMap { Key(stringValue: $0) } }

  func contains(_ key: Key) -> Bool {
    owner.ask(for: key.stringValue)
    return values[key.stringValue] != nil
  }

  func decodeNil(forKey key: Key) throws -> Bool { try value(key).scalar?.isNull == true }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    let standing = owner.standingGroups[key.stringValue]
    return try RecipeNode(owner.document, value(key), at: codingPath + [key], over: standing)
      .decode(type)
  }

  func nestedContainer<Inner>(
    keyedBy type: Inner.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Inner> {
    try owner.opened(value(key), key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try owner.opened(value(key), key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try nested(RecipeKey("super")) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

  private func nested(_ key: any CodingKey) throws -> any Decoder {
    owner.opened(try value(key), key)
  }

  private func value(_ key: any CodingKey) throws(RecipeError) -> Node {
    owner.ask(for: key.stringValue)
    if let value = values[key.stringValue] { return value }
    let strangers = names.filter { Key(stringValue: $0) == nil }
    throw .missingKey(
      owner.document.place(of: codingPath), key: key.stringValue,
      similar: nearestName(to: key.stringValue, among: strangers))
  }
}

/// A list that a type reads element by element.
struct RecipeList: UnkeyedDecodingContainer {
  private let owner: RecipeNode
  private let elements: [Node]
  private(set) var currentIndex = 0

  init(_ owner: RecipeNode) throws(RecipeError) {
    guard case .sequence(let sequence) = owner.node else {
      throw owner.wrongType(expected: "a list")
    }
    elements = Array(sequence)
    self.owner = owner
    owner.readElements(0)
  }

  var codingPath: [any CodingKey] { owner.codingPath }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex == elements.count }

  mutating func decodeNil() throws -> Bool {
    guard try element().scalar?.isNull == true else { return false }
    advance()
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let path = codingPath + [RecipeIndex(currentIndex)]
    let value = try RecipeNode(owner.document, element(), at: path).decode(type)
    advance()
    return value
  }

  mutating func nestedContainer<Inner>(
    keyedBy type: Inner.Type
  ) throws -> KeyedDecodingContainer<Inner> {
    try nested().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try nested().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder { try nested() }

  private mutating func nested() throws -> RecipeNode {
    let child = owner.opened(try element(), RecipeIndex(currentIndex))
    advance()
    return child
  }

  private func element() throws(RecipeError) -> Node {
    guard !isAtEnd else { throw owner.wrongType(expected: "a list of \(currentIndex + 1) or more") }
    return elements[currentIndex]
  }

  private mutating func advance() {
    currentIndex += 1
    owner.readElements(currentIndex)
  }
}

/// A node that a type reads as one value.
struct RecipeValue: SingleValueDecodingContainer {
  let owner: RecipeNode

  var codingPath: [any CodingKey] { owner.codingPath }

  func decodeNil() -> Bool { owner.node.scalar?.isNull == true }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try RecipeNode(owner.document, owner.node, at: codingPath, over: owner.standing).decode(type)
  }
}
