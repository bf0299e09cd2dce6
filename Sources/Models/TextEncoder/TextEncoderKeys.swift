import Layers
import Recipe

/// Values in the `config.json` of several text encoders.
extension KeyedDecodingContainer {
  /// The heads of attention: their number, the number for keys and values, and their width.
  ///
  /// - Parameters:
  ///   - keys: the key of the number for keys and values; null means that of the queries.
  ///   - standard: the values of absent keys.
  /// - Throws: an error that names the key whose value cannot be.
  func heads(
    _ queries: Key, keys: Key, width: Key, default standard: GroupedAttention.Heads
  ) throws -> GroupedAttention.Heads {
    let count = try value(queries, default: standard.queries, in: SizeLimit.features)
    let isNull = try contains(keys) && decodeNil(forKey: keys)
    let keyCount = try isNull ? count : value(keys, default: standard.keys, in: SizeLimit.features)
    guard count % keyCount == 0 else {
      throw InvalidRecipeValue(keys, keyCount, "it must divide `\(queries.stringValue)`, \(count)")
    }
    let size = try value(
      width, default: standard.width, where: { $0 > 0 && $0 % 2 == 0 }, "it must be even")
    guard size <= SizeLimit.features.upperBound / count else {
      throw InvalidRecipeValue(
        width, size, "\(count) heads have more features than \(SizeLimit.features.upperBound)")
    }
    return .init(count, keys: keyCount, width: size)
  }

  /// A window of attention, nil for null.
  ///
  /// - Throws: an error that names the key for a window without a token.
  func window(_ key: Key, default standard: Int) throws -> Int? {
    if try contains(key) && decodeNil(forKey: key) { return nil }
    return try value(key, default: standard, in: 1...Int(Int32.max))
  }

  /// The kinds of the layers.
  ///
  /// - Parameters:
  ///   - window: the window of sliding layers, nil for none.
  ///   - standard: the kind of a layer, from 0, where none are listed.
  /// - Throws: an error that names the key where their number is not that of the layers, or where
  ///   the window is missing.
  func attentionLayers(
    _ key: Key, depth: Int, window: Int?, default standard: (Int) -> AttentionLayer
  ) throws -> [AttentionLayer] {
    let found =
      try decodeIfPresent([String].self, forKey: key)?.map { try choice($0, key) }
      ?? (0..<depth).map(standard)
    guard found.count >= depth else {
      throw InvalidRecipeValue(
        key, "a list of \(found.count)", "one for each of \(depth) layers was expected")
    }
    // Kinds beyond the last layer are ignored.
    let layers = Array(found.prefix(depth))
    guard window != nil || !layers.contains(.sliding) else {
      throw InvalidRecipeValue(
        key, AttentionLayer.sliding.rawValue, "there is no `sliding_window` for it")
    }
    return layers
  }

  /// One of an enumeration's names.
  ///
  /// - Throws: an error that names the key, and what is valid, for another text.
  func choice<Choice: CaseIterable & RawRepresentable<String>>(
    _ key: Key, default standard: Choice
  ) throws -> Choice {
    try contains(key) ? choice(decode(String.self, forKey: key), key) : standard
  }

  private func choice<Choice: CaseIterable & RawRepresentable<String>>(
    _ name: String, _ key: Key
  ) throws -> Choice {
    guard let choice = Choice(rawValue: name) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw InvalidRecipeValue(key, "\"\(name)\"", "only these are supported: \(names)")
    }
    return choice
  }
}

extension KeyedEncodingContainer {
  /// Writes heads of attention.
  mutating func encode(
    _ heads: GroupedAttention.Heads, _ queries: Key, keys: Key, width: Key
  ) throws {
    try encode(heads.queries, forKey: queries)
    try encode(heads.keys, forKey: keys)
    try encode(heads.width, forKey: width)
  }
}
