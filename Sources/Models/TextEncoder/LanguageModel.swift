import Layers
import Recipe
import Tensors
import Weights

extension NameMap {
  /// A decoder saved alone, and as `model` of a language model such as `Qwen3ForCausalLM`.
  static var aloneAndInLanguageModel: [NameMap] {
    var within = NameMap()
    within.prefix = "model."
    return [NameMap(), within]
  }

  /// Whether an array is what a language model has beside its decoder: the map to logits, and tables of
  /// rotary frequencies that old versions have saved.
  static func isOfLanguageModel(_ array: String) -> Bool {
    array == "lm_head.weight" || array.hasSuffix(".rotary_emb.inv_freq")
  }
}

extension AttentionMask {
  /// No key after the query's own position, and none of padding.
  static func causal(_ valid: Tensor?) -> AttentionMask {
    valid.map { .causal & .keys($0) } ?? .causal
  }
}

extension KeyedDecodingContainer {
  /// Heads of attention: how many, how many of keys and values, and how wide.
  ///
  /// - Parameters:
  ///   - keys: null stands for as many as of the queries.
  ///   - standard: what absent keys stand for.
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
