import Layers
import Tensors
import Weights

/// The `config.json` of a causal language model whose hidden states condition an image network.
protocol LanguageModelConfig: TextEncoderConfig {
  /// The heads of attention.
  var heads: GroupedAttention.Heads { get }
  /// The base of the rotary frequencies.
  var theta: Double { get }
  /// The kind of each layer's attention.
  var layers: [AttentionLayer] { get }
  /// The window of sliding layers, nil for none.
  var window: Int? { get }
}

extension LanguageModelConfig {
  /// Any length.
  public var longest: Int? { nil }

  /// Saved alone, and within a language model.
  public var layouts: [NameMap] { NameMap.aloneAndInLanguageModel }

  /// The embedding of the tokens.
  public static var embedding: String { "embed_tokens.weight" }

  /// The map to logits is ignored.
  public func ignores(_ array: String) -> Bool { NameMap.isOfLanguageModel(array) }

  /// Runs the layers on embedded tokens, with rotary positions and each layer's window.
  ///
  /// - Parameters:
  ///   - x: the embedded tokens `[batch, tokens, width]`.
  ///   - angles: the tokens' rotary angles, see `Rotary`; nil for those of the positions 0, 1, 2 ….
  ///   - hidden: the hidden states to return; the last of them has passed the final norm.
  ///   - norm: the final norm.
  ///   - apply: applies a layer.
  func encoding<Layer>(
    of x: Tensor, angles: Tensor? = nil, _ stack: Stack<Layer>, hidden: [Int],
    _ options: AttentionOptions,
    norm: (Tensor) -> Tensor,
    _ apply: (Layer, Tensor, AttentionOptions, Rotary) -> Tensor
  ) -> TextEncoding {
    let length = x.shape[1]
    let rotary = Rotary(
      angles: angles
        ?? Tensor.iota([length], .float32).rotaryAngles(width: heads.width, base: theta),
      layout: .halfSplit)
    let windows = LayerWindows(layers.map { $0 == .sliding ? window : nil }, tokens: length)
    var (last, states) = stack.states(x, hidden, perLayer: windows.perLayer) { layer, x, own in
      apply(layer, x, windows.applied(to: options, own), rotary).sharded(.batch)
    }
    last = norm(last)
    if states[depth] != nil { states[depth] = last }
    return TextEncoding(last: last, hidden: states)
  }
}

extension NameMap {
  /// The names of a decoder saved alone, and as `model` of a language model such as
  /// `Qwen3ForCausalLM`.
  static var aloneAndInLanguageModel: [NameMap] { behind(["", "model."]) }

  /// The names of a decoder in networks that also take images, as transformers 5, transformers 4 and other
  /// programs name it.
  static var inMultimodalModel: [NameMap] {
    behind(["model.language_model.", "language_model.model.", "language_model."])
  }

  /// The names in memory behind each of some prefixes.
  private static func behind(_ prefixes: [String]) -> [NameMap] {
    prefixes.map {
      var names = NameMap()
      names.prefix = $0
      return names
    }
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
