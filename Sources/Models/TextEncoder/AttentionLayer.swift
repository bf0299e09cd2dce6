/// The kind of a layer's attention, as in `layer_types` of a `config.json`.
public enum AttentionLayer: String, Codable, Hashable, Sendable, CaseIterable {
  /// Attention to the whole sequence.
  case full = "full_attention"
  /// Attention within a window.
  case sliding = "sliding_attention"
}
