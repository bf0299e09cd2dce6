import Layers
import Tensors

/// The language model of Qwen3-VL: Qwen Team, "Qwen3-VL technical report", 2025.
///
/// A causal transformer with grouped heads, norms of each head's queries and keys, and rotary positions along
/// time, rows and columns that alternate from pair to pair. Features of inner layers of the vision tower are
/// added to the tokens of images after the first layers. The language model of
/// `Qwen3VLForConditionalGeneration` of transformers.
public struct Qwen3VL: MultimodalDecoder {
  let config: Qwen3VLConfig
  let decoder: DecoderStack

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Qwen3VLConfig) {
    self.config = config
    decoder = DecoderStack(scope, config) { scope in
      GroupedAttention(
        scope, width: config.width, heads: config.heads, bias: config.attentionBias,
        normEpsilon: config.epsilon)
    }
  }

  func angles(_ positions: Tensor) -> Tensor {
    positions.multimodalAngles(
      width: config.heads.width, sections: config.sections, base: config.theta,
      isInterleaved: true)
  }
}
