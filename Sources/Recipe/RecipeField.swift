/// One key of a group: its decoding, check, encoding and meaning.
public struct RecipeField<Group: RecipeGroup>: Sendable {
  /// The key.
  public let name: String
  /// Its meaning, in one line.
  public let meaning: String
  /// The property that holds the value; nil for a key with only one valid value.
  let path: (PartialKeyPath<Group> & Sendable)?
  /// The type of the value.
  let valueType: Any.Type
  /// The valid values, as in messages; nil where the type determines them.
  let condition: String?
  /// The form of the value, where its type does not determine it.
  private(set) var form: String?
  /// Whether the key is required.
  private(set) var isRequired = false
  /// The names of the key in earlier versions.
  private(set) var oldNames: [String] = []
  /// The runs between which the value may differ.
  private(set) var freedom = RecipeFreedom.none
  /// The default, in words and as a change of the group.
  private(set) var standard: (words: String, set: @Sendable (inout Group) -> Void)?
  /// The condition for the key, in words and on the keys before it.
  private(set) var presence: (words: String, isMet: @Sendable (Group) -> Bool)?

  /// The value of a group.
  let value: @Sendable (Group) -> any Sendable
  private let decode: @Sendable (inout Group, KeyedDecodingContainer<Key>) throws -> Void
  private let encode: @Sendable (Group, inout KeyedEncodingContainer<Key>) throws -> Void

  /// A key with any value of its type.
  public init<Value: Codable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value> & Sendable, _ meaning: String
  ) {
    self.init(name, path, nil, meaning) { try $0.value($1) }
  }

  /// A key whose value must be within a range.
  public init<Value: Codable & Sendable, Bounds: RecipeRange<Value> & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value> & Sendable, in range: Bounds,
    _ meaning: String
  ) {
    self.init(name, path, range.condition, meaning) { try $0.value($1, in: range) }
  }

  /// A key whose value, if any, must be within a range.
  public init<Value: Codable & Sendable, Bounds: RecipeRange<Value> & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value?> & Sendable, in range: Bounds,
    _ meaning: String
  ) {
    self.init(name, path, range.condition, meaning) { keys, key in
      try keys.decodeNil(forKey: key) ? nil : keys.value(key, in: range)
    }
  }

  /// A key whose value must pass a test.
  ///
  /// - Parameter condition: what is valid, as in "it must be a multiple of 8".
  public init<Value: Codable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value> & Sendable,
    where isValid: @escaping @Sendable (Value) -> Bool, else condition: String, _ meaning: String
  ) {
    self.init(name, path, condition, meaning) { try $0.value($1, where: isValid, condition) }
  }

  /// The path of a file or folder, with the home folder for its `~`.
  public init(
    _ name: String, path: WritableKeyPath<Group, String> & Sendable, _ meaning: String
  ) {
    self.init(name, path, nil, meaning) { try $0.path($1) }
    form = "path"
  }

  /// The path of a file or folder, with the home folder for its `~`; null stands for none.
  public init(
    _ name: String, path: WritableKeyPath<Group, String?> & Sendable, _ meaning: String
  ) {
    self.init(name, path, nil, meaning) { keys, key in
      try keys.decodeNil(forKey: key) ? nil : keys.path(key)
    }
    form = "path"
  }

  private init<Value: Codable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value> & Sendable, _ condition: String?,
    _ meaning: String,
    read: @escaping @Sendable (KeyedDecodingContainer<Key>, Key) throws -> Value
  ) {
    (self.name, self.path, self.condition, self.meaning) = (name, path, condition, meaning)
    valueType = Value.self
    let key = Key(name)
    value = { $0[keyPath: path] }
    decode = { group, keys in group[keyPath: path] = try read(keys, key) }
    encode = { group, keys in
      let value = group[keyPath: path]
      if (value as? any OptionalValue)?.isNil == true { return }
      try keys.encode(value, forKey: key)
    }
  }

  /// A key of which only one value is supported, as of configs that other programs write; null stands
  /// for it too.
  public init<Value: Codable & Equatable & Sendable>(
    _ name: String, only supported: Value, _ meaning: String
  ) {
    (self.name, self.meaning, path, valueType) = (name, meaning, nil, Value.self)
    condition = nil
    form = "`\(supported)`"
    let key = Key(name)
    value = { _ in supported }
    decode = { _, keys in
      guard let value = try keys.decode(Value?.self, forKey: key), value != supported else {
        return
      }
      throw InvalidRecipeValue(key, value, "only \(supported) is supported")
    }
    encode = { _, keys in try keys.encode(supported, forKey: key) }
  }
}

extension RecipeField {
  /// The same key as a required one.
  public var required: Self { with { $0.isRequired = true } }

  /// The same key with names of earlier versions; messages give the new one.
  public func was(_ names: String...) -> Self { with { $0.oldNames = names } }

  /// The same key, whose value may differ between some runs.
  public func mayDiffer(_ freedom: RecipeFreedom) -> Self { with { $0.freedom = freedom } }

  /// The same key, whose default depends on the keys before it.
  public func otherwise(
    _ words: String, _ set: @escaping @Sendable (inout Group) -> Void
  ) -> Self {
    with { $0.standard = (words, set) }
  }

  /// The same key, only under a condition on the keys before it.
  public func when(
    _ words: String, _ isMet: @escaping @Sendable (Group) -> Bool
  ) -> Self {
    with { $0.presence = (words, isMet) }
  }

  private func with(_ change: (inout Self) -> Void) -> Self {
    var field = self
    change(&field)
    return field
  }
}

extension RecipeField {
  /// The keys of a group for `Codable`; other names are not keys.
  struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) {
      guard Group.fields.contains(where: { $0.name == stringValue }) else { return nil }
      self.stringValue = stringValue
    }
    init?(intValue: Int) { nil }
  }

  /// Whether the key applies to a group.
  func isPart(of group: Group) -> Bool { presence?.isMet(group) ?? true }

  /// Reads the value.
  ///
  /// - Parameter isPartial: whether a key that is absent leaves the value that the group has.
  func read(
    into group: inout Group, from keys: KeyedDecodingContainer<Key>, isPartial: Bool
  ) throws {
    guard isPart(of: group) else { return }
    let isGiven = keys.contains(Key(name))
    if isGiven || isRequired && !isPartial {
      try decode(&group, keys)
    } else if !isPartial {
      standard?.set(&group)
    }
  }

  /// Encodes the value, if any.
  func write(_ group: Group, to keys: inout KeyedEncodingContainer<Key>) throws {
    if isPart(of: group) { try encode(group, &keys) }
  }
}

/// The runs between which the value of a key may differ.
public enum RecipeFreedom: Comparable, Sendable {
  /// None: the result of a run depends on it.
  case none
  /// A run and its resumption from a checkpoint.
  case whenResumed
  /// Also runs with the same result.
  case always
}
