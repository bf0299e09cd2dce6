import Layers
import Tensors

/// The language model of Qwen2.5-VL, the text encoder of Qwen-Image and Qwen-Image-Edit: Bai and others,
/// "Qwen2.5-VL technical report", 2025.
///
/// A causal transformer with grouped heads, biases on queries, keys and values, and rotary positions
/// along time, rows and columns; the language model of `Qwen2_5_VLForConditionalGeneration` of
/// transformers. `Qwen2_5VLVision` embeds images, `MultimodalPrompt` lays out prompts with images.
public struct Qwen2_5VL: TextEncoder, MultimodalDecoder {
  let config: Qwen2_5VLConfig
  let decoder: DecoderStack

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Qwen2_5VLConfig) {
    self.config = config
    decoder = DecoderStack(scope, config) { scope in
      GroupedAttention(
        scope, width: config.width, heads: config.heads, bias: true, outputBias: false)
    }
  }

  /// Encodes tokens of text, see `TextEncoder`; the last of the numbered hidden states has passed the
  /// final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    self(tokens, valid: valid, images: nil, positions: nil, hidden: hidden, in: dtype)
  }

  /// Encodes tokens of text and images, see `TextEncoder`.
  ///
  /// - Parameters:
  ///   - images: the images, nil for text alone.
  ///   - positions: s32 `[3, batch, tokens]`, each token's time, row and column; nil for 0, 1, 2 …
  ///     along all three, as text has them.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, images: ImageEmbeddings?, positions: Tensor?,
    hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let x = embedded(tokens, images, dtype)
    precondition(
      positions.map { $0.shape == Shape([3] + tokens.shape.sizes) } ?? true,
      "the positions of tokens \(tokens.type) are [3, batch, tokens], not \(positions!.type)")
    return decoder.encoding(
      of: x, config, valid: valid, angles: positions.map(angles), hidden: hidden)
  }

  func angles(_ positions: Tensor) -> Tensor {
    positions.multimodalAngles(
      width: config.heads.width, sections: config.sections, base: config.theta)
  }
}
