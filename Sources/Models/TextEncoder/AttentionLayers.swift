import Recipe

/// What a layer's attention sees, as `layer_types` of a `config.json` has it.
public enum AttentionLayer: String, Codable, Hashable, Sendable, CaseIterable {
  /// The whole sequence.
  case full = "full_attention"
  /// A window of it.
  case sliding = "sliding_attention"
}

extension KeyedDecodingContainer {
  /// The kinds of the layers.
  ///
  /// - Parameters:
  ///   - window: that of sliding layers, nil for none.
  ///   - standard: the kind of a layer, from 0, where none are listed.
  /// - Throws: an error that names the key where they are not as many as the layers, or a window that
  ///   is wanted is missing.
  func attentionLayers(
    _ key: Key, depth: Int, window: Int?, default standard: (Int) -> AttentionLayer
  ) throws -> [AttentionLayer] {
    let found =
      try decodeIfPresent([AttentionLayer].self, forKey: key) ?? (0..<depth).map(standard)
    guard found.count >= depth else {
      throw InvalidRecipeValue(key, "a list of \(found.count)", "there are \(depth) layers")
    }
    // What is listed beyond the last layer is not looked at.
    let layers = Array(found.prefix(depth))
    guard window != nil || !layers.contains(.sliding) else {
      throw InvalidRecipeValue(
        key, AttentionLayer.sliding.rawValue, "there is no `sliding_window` for it")
    }
    return layers
  }
}
