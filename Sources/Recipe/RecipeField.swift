/// One key of a group: how it is read, checked and written, and what it means.
public struct RecipeField<Group: RecipeGroup>: Sendable {
  /// The key.
  public let name: String
  /// What it means, in a line.
  public let meaning: String
  /// The property that holds the value; nil for a key that has but one.
  let path: (PartialKeyPath<Group> & Sendable)?
  /// The type of the value.
  let valueType: Any.Type
  /// Which values are valid, as messages say it; nil where the type says all.
  let condition: String?
  /// What the value looks like, where its type does not say it.
  private(set) var form: String?
  /// Whether the key must be there.
  private(set) var isRequired = false
  /// What earlier versions called the key.
  private(set) var oldNames: [String] = []
  /// Where the value may differ between two runs.
  private(set) var freedom = RecipeFreedom.none
  /// The value of an absent key, in words and set in a group.
  private(set) var standard: (words: String, set: @Sendable (inout Group) -> Void)?
  /// When the key is part of the group, in words and by the keys before it.
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

  /// A key whose value must lie in a range.
  public init<Value: Codable & Sendable, Bounds: RecipeRange<Value> & Sendable>(
    _ name: String, _ path: WritableKeyPath<Group, Value> & Sendable, in range: Bounds,
    _ meaning: String
  ) {
    self.init(name, path, range.condition, meaning) { try $0.value($1, in: range) }
  }

  /// A key whose value, if there is one, must lie in a range.
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

  /// The path of a file or folder, with the home folder for its `~`; null is no path.
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
  /// The same key, which must be there.
  public var required: Self { with { $0.isRequired = true } }

  /// The same key with names of earlier versions; messages say the new one.
  public func was(_ names: String...) -> Self { with { $0.oldNames = names } }

  /// The same key, whose value may differ between some runs.
  public func mayDiffer(_ freedom: RecipeFreedom) -> Self { with { $0.freedom = freedom } }

  /// The same key, whose default depends on the keys before it.
  public func otherwise(
    _ words: String, _ set: @escaping @Sendable (inout Group) -> Void
  ) -> Self {
    with { $0.standard = (words, set) }
  }

  /// The same key, which is part of the group only where the keys before it say so.
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
  /// The keys of a group as `Codable` has them; other names are none.
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

  /// Whether the key is part of a group.
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

  /// Writes the value, where there is one.
  func write(_ group: Group, to keys: inout KeyedEncodingContainer<Key>) throws {
    if isPart(of: group) { try encode(group, &keys) }
  }
}

/// Where the value of a key may differ between two runs.
public enum RecipeFreedom: Comparable, Sendable {
  /// Nowhere: what a run computes depends on it.
  case none
  /// Where a run goes on from a checkpoint.
  case whenResumed
  /// There, and between runs whose results are the same.
  case always
}
