import Tensors
import Weights

extension NameMap {
  /// The names of a decoder saved alone, and as `model` of a language model such as
  /// `Qwen3ForCausalLM`.
  static var aloneAndInLanguageModel: [NameMap] {
    var within = NameMap()
    within.prefix = "model."
    return [NameMap(), within]
  }

  /// Whether an array of a language model is not part of its decoder: the map to logits, and tables
  /// of rotary frequencies saved by old versions.
  static func isOfLanguageModel(_ array: String) -> Bool {
    array == "lm_head.weight" || array.hasSuffix(".rotary_emb.inv_freq")
  }
}

extension AttentionMask {
  /// A causal mask that also hides padding.
  static func causal(_ valid: Tensor?) -> AttentionMask {
    valid.map { .causal & .keys($0) } ?? .causal
  }
}
