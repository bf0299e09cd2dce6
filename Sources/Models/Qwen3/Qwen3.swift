import Layers
import Tensors

/// The text encoder of Z-Image: Qwen Team, "Qwen3 technical report", 2025.
///
/// A causal transformer with grouped heads, norms of each head's queries and keys, and rotary positions;
/// `Qwen3Model` of transformers.
public struct Qwen3: TextEncoder {
  let config: Qwen3Config
  let embedding: Embedding
  let layers: Stack<DecoderLayer>
  let norm: RMSNorm

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Qwen3Config) {
    self.config = config
    embedding = Embedding(
      scope / "embed_tokens", count: config.vocabulary, width: config.width)
    layers = Stack(scope / "layers", count: config.depth, execution: config.execution) {
      DecoderLayer(
        $0, width: config.width, hidden: config.hidden, epsilon: config.epsilon,
        activation: config.activation
      ) { scope in
        GroupedAttention(
          scope, width: config.width, heads: config.heads, bias: config.attentionBias,
          normEpsilon: config.epsilon)
      }
    }
    norm = RMSNorm(scope / "norm", config.width, epsilon: config.epsilon)
  }

  /// Encodes tokens, see `TextEncoder`; the last of the numbered hidden states has passed the final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    config.encoding(
      of: embedding(tokens).cast(to: dtype), layers, hidden: hidden,
      AttentionOptions(mask: .causal(valid)), norm: { norm($0) }
    ) { layer, x, options, rotary in layer(x, options, rotary) }
  }
}
