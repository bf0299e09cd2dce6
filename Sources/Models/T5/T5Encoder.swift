import Layers
import Tensors

/// The encoder of T5 and T5 v1.1, one of the text encoders of Stable Diffusion 3: Raffel and others,
/// "Exploring the limits of transfer learning with a unified text-to-text transformer", 2020.
///
/// Its attention has no scale, and a bias by the distance of two tokens that all layers share;
/// `T5EncoderModel` of transformers.
public struct T5Encoder: TextEncoder {
  let config: T5Config
  let embedding: Embedding
  let positions: RelativeBias
  let layers: Stack<T5Layer>
  let norm: RMSNorm

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: T5Config) {
    self.config = config
    let encoder = scope / "encoder"
    embedding = Embedding(scope / "shared", count: config.vocabulary, width: config.width)
    // In the published model it belongs to the first layer.
    positions = RelativeBias(
      encoder / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias", config)
    layers = Stack(encoder / "block", count: config.depth, execution: config.execution) {
      T5Layer($0, config)
    }
    norm = RMSNorm(encoder / "final_layer_norm", config.width, epsilon: config.epsilon)
  }

  /// Encodes tokens, see `TextEncoder`; the last of the numbered hidden states has passed the final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let options = AttentionOptions(
      scale: 1, mask: valid.map { .keys($0) } ?? .none, bias: positions(tokens.shape[1]))
    var (last, states) = layers.states(embedding(tokens).cast(to: dtype), hidden) { layer, x, _ in
      layer(x, options).sharded(.batch)
    }
    last = norm(last)
    if states[config.depth] != nil { states[config.depth] = last }
    return TextEncoding(last: last, hidden: states)
  }
}

/// One layer: attention, then an MLP with or without a gate, each on normalized tokens.
struct T5Layer {
  let attentionNorm: RMSNorm
  let attention: GroupedAttention
  let mlpNorm: RMSNorm
  let mlp: (Tensor) -> Tensor

  init(_ scope: Scope, _ config: T5Config) {
    let (first, second) = (scope / "layer" / 0, scope / "layer" / 1)
    attentionNorm = RMSNorm(first / "layer_norm", config.width, epsilon: config.epsilon)
    attention = GroupedAttention(
      first / "SelfAttention", width: config.width,
      heads: .init(config.heads, width: config.headWidth),
      names: .init(queries: "q", keys: "k", values: "v", output: "o"))
    mlpNorm = RMSNorm(second / "layer_norm", config.width, epsilon: config.epsilon)
    let inner = second / "DenseReluDense"
    let activation = config.activation
    if config.isGated {
      let gated = GatedMLP(
        inner, config.width, hidden: config.hidden,
        names: .init(gate: "wi_0", up: "wi_1", down: "wo"), activation: activation)
      mlp = { gated($0) }
    } else {
      let plain = MLP(
        inner.linear("wi", config.width, config.hidden, bias: false, from: .embed, to: .hidden),
        inner.linear("wo", config.hidden, config.width, bias: false, from: .hidden, to: .embed)
      ) { activation($0) }
      mlp = { plain($0) }
    }
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ options: AttentionOptions) -> Tensor {
    let h = x + attention(attentionNorm(x), options)
    return h + mlp(mlpNorm(h))
  }
}
