import Layers
import Tensors

/// The text encoder of SANA: Gemma Team, "Gemma 2: Improving open language models at a practical size",
/// 2024.
///
/// A causal transformer with grouped heads, bounded attention logits, windows in every other layer, and
/// norms before and after attention and MLP; `Gemma2Model` of transformers.
public struct Gemma2: TextEncoder {
  let config: Gemma2Config
  let embedding: Embedding
  let layers: Stack<Gemma2Layer>
  let norm: ZeroCenteredRMSNorm

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Gemma2Config) {
    self.config = config
    embedding = Embedding(
      scope / "embed_tokens", count: config.vocabulary, width: config.width)
    layers = Stack(scope / "layers", count: config.depth, execution: config.execution) {
      Gemma2Layer($0, config)
    }
    norm = ZeroCenteredRMSNorm(scope / "norm", config.width, epsilon: config.epsilon)
  }

  /// Encodes tokens, see `TextEncoder`; the last of the numbered hidden states has passed the final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let options = AttentionOptions(
      scale: 1 / config.queryScalar.squareRoot(), mask: .causal(valid), softCap: config.softCap)
    // The factor is rounded to the element type, as in the published code.
    let factor = Tensor.constant(Double(config.width).squareRoot(), dtype)
    return config.encoding(
      of: embedding(tokens).cast(to: dtype) * factor, layers, hidden: hidden, options,
      norm: { norm($0) }
    ) { layer, x, options, rotary in layer(x, options, rotary) }
  }
}

/// One layer: attention, then a gated MLP, each between two norms.
struct Gemma2Layer {
  let attentionNorm: ZeroCenteredRMSNorm
  let attention: GroupedAttention
  let attendedNorm: ZeroCenteredRMSNorm
  let mlpNorm: ZeroCenteredRMSNorm
  let mlp: GatedMLP
  let mappedNorm: ZeroCenteredRMSNorm

  init(_ scope: Scope, _ config: Gemma2Config) {
    func norm(_ name: String) -> ZeroCenteredRMSNorm {
      ZeroCenteredRMSNorm(scope / name, config.width, epsilon: config.epsilon)
    }
    attentionNorm = norm("input_layernorm")
    attention = GroupedAttention(
      scope / "self_attn", width: config.width, heads: config.heads, bias: config.attentionBias)
    attendedNorm = norm("post_attention_layernorm")
    mlpNorm = norm("pre_feedforward_layernorm")
    mlp = GatedMLP(
      scope / "mlp", config.width, hidden: config.hidden, activation: config.activation)
    mappedNorm = norm("post_feedforward_layernorm")
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ options: AttentionOptions, _ rotary: Rotary) -> Tensor {
    let h = x + attendedNorm(attention(attentionNorm(x), options, rotary: rotary))
    return h + mappedNorm(mlp(mlpNorm(h)))
  }
}
