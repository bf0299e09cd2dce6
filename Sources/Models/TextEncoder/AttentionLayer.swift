/// What a layer's attention sees, as `layer_types` of a `config.json` has it.
public enum AttentionLayer: String, Codable, Hashable, Sendable, CaseIterable {
  /// The whole sequence.
  case full = "full_attention"
  /// A window of it.
  case sliding = "sliding_attention"
}
