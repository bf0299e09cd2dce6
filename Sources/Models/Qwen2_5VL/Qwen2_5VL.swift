import Layers
import Tensors

/// The language model of Qwen2.5-VL, the text encoder of Qwen-Image and Qwen-Image-Edit: Bai and others,
/// "Qwen2.5-VL technical report", 2025.
///
/// A causal transformer with grouped heads, biases on queries, keys and values, and rotary positions
/// along time, rows and columns; the language model of `Qwen2_5_VLForConditionalGeneration` of
/// transformers. `Qwen2_5VLVision` embeds images, `MultimodalPrompt` lays out prompts with images.
public struct Qwen2_5VL: TextEncoder {
  let config: Qwen2_5VLConfig
  let decoder: DecoderStack

  /// Images in prompts.
  public struct Images {
    let embeddings: Tensor
    let rows: Tensor

    /// Places the embeddings of images at their tokens.
    ///
    /// - Parameters:
    ///   - embeddings: `[rows, width]`, from `Qwen2_5VLVision`.
    ///   - rows: s32 `[batch, tokens]`, the row of each image token, negative for the tokens of text.
    public init(embeddings: Tensor, rows: Tensor) {
      (self.embeddings, self.rows) = (embeddings, rows)
    }
  }

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
    _ tokens: Tensor, valid: Tensor? = nil, images: Images?, positions: Tensor?,
    hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let x = embedded(tokens, images, dtype)
    precondition(
      positions.map { $0.shape == Shape([3] + tokens.shape.sizes) } ?? true,
      "the positions of tokens \(tokens.type) are [3, batch, tokens], not \(positions!.type)")
    let angles = positions?.multimodalAngles(
      width: config.heads.width, sections: config.sections, base: config.theta)
    return decoder.encoding(of: x, config, valid: valid, angles: angles, hidden: hidden)
  }

  /// Tokens with the embeddings of images in their places, `[batch, tokens, width]`.
  func embedded(_ tokens: Tensor, _ images: Images?, _ dtype: DType) -> Tensor {
    let x = decoder.embedding(tokens).cast(to: dtype)
    guard let images else { return x }
    precondition(
      images.rows.shape == tokens.shape && images.embeddings.shape[-1] == config.width,
      "images \(images.embeddings.type) at \(images.rows.type) do not fit tokens \(tokens.type)")
    let isImage = images.rows.greaterOrEqual(images.rows.zerosLike).expanded([2])
    return isImage.broadcast(to: x.shape)
      .select(images.embeddings.cast(to: dtype).take(images.rows), x)
  }
}
