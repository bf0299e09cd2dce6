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
