import Layers
import Tensors

/// CLIP, which compares images with texts: Radford and others, "Learning transferable visual models from
/// natural language supervision", 2021.
///
/// A vision transformer and a causal transformer of texts, each with a projection to features of one space;
/// `CLIPModel` of transformers, and `CLIP` of open_clip.
public struct CLIP {
  let config: CLIPConfig
  let text: CLIPText
  let textProjection: CLIPProjection
  let vision: CLIPVision
  let visionProjection: CLIPProjection
  /// The logarithm of the factor from the cosine of two features to a logit, a scalar.
  public let logitScale: Tensor

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: CLIPConfig) {
    self.config = config
    text = CLIPText(scope, config.text)
    vision = CLIPVision(scope / "vision_model", config.vision)
    let isTransposed = config.layout == .openCLIP
    textProjection = CLIPProjection(
      scope, "text_projection", config.text.width, config.projection, isTransposed: isTransposed)
    visionProjection = CLIPProjection(
      scope, "visual_projection", config.vision.width, config.projection,
      isTransposed: isTransposed)
    logitScale = scope.weight("logit_scale", [], .ones)
  }

  /// The features `[batch, projection]` of images `[batch, size, size, channels]`, not normalized.
  ///
  /// - Parameter dtype: the element type of the computation; norms and softmax are computed in f32 or
  ///   wider.
  public func imageFeatures(_ pixels: Tensor, in dtype: DType = .float32) -> Tensor {
    visionProjection(vision(pixels.cast(to: dtype)))
  }

  /// The features `[batch, projection]` of texts, s32 `[batch, tokens]`, not normalized.
  ///
  /// What follows the end token of a text has no influence.
  public func textFeatures(_ tokens: Tensor, in dtype: DType = .float32) -> Tensor {
    textProjection(text(tokens, in: dtype).pooled!)
  }
}

/// A linear map without bias, whose matrix is stored as `[output, input]` or transposed.
struct CLIPProjection {
  private enum Form {
    case map(LinearMap)
    case transposed(Tensor)
  }

  private let form: Form

  init(_ scope: Scope, _ name: String, _ input: Int, _ output: Int, isTransposed: Bool) {
    form =
      isTransposed
      ? .transposed(scope.weight(name, [input, output], .xavier(input, output), axes: [.embed]))
      : .map(scope.linear(name, input, output, bias: false, from: .embed))
  }

  /// `[batch, input]` to `[batch, output]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    switch form {
    case .map(let map): map(x)
    case .transposed(let matrix): x.dot(matrix.cast(to: x.dtype), contracting: ([1], [0]))
    }
  }
}

/// CLIP's vision transformer: Dosovitskiy and others, "An image is worth 16x16 words", 2021, with a norm
/// before the first layer.
struct CLIPVision {
  let config: CLIPVisionConfig
  let start: Tensor
  let patches: Convolution
  let positions: Tensor
  let firstNorm: LayerNorm
  let layers: Stack<EncoderLayer>
  let lastNorm: LayerNorm

  init(_ scope: Scope, _ config: CLIPVisionConfig) {
    self.config = config
    let (width, embeddings) = (config.width, scope / "embeddings")
    start = embeddings.weight("class_embedding", [width], .normal(0.02), axes: [.embed])
    patches = Convolution(
      embeddings / "patch_embedding", config.channels, width, kernel: [config.patch, config.patch],
      strides: [config.patch, config.patch], bias: false)
    positions = (embeddings / "position_embedding").weight(
      "weight", [config.tokens, width], .normal(0.02), axes: [nil, .embed])
    // Spelled as published.
    firstNorm = LayerNorm(scope / "pre_layrnorm", width, epsilon: config.epsilon)
    layers = Stack(
      scope / "encoder" / "layers", count: config.depth, execution: config.execution
    ) {
      EncoderLayer(
        $0, width: width, hidden: config.hidden, heads: config.heads, epsilon: config.epsilon,
        activation: config.activation)
    }
    lastNorm = LayerNorm(scope / "post_layernorm", width, epsilon: config.epsilon)
  }

  /// The first token of images `[batch, size, size, channels]` after the last layer, `[batch, width]`.
  func callAsFunction(_ pixels: Tensor) -> Tensor {
    let (batch, size, width) = (pixels.shape[0], config.size, config.width)
    precondition(
      pixels.rank == 4 && Array(pixels.shape.sizes[1...]) == [size, size, config.channels],
      "images are [batch, \(size), \(size), \(config.channels)], not \(pixels.type)")
    let embedded = patches(pixels).reshape([batch, -1, width])
    let first = start.cast(to: pixels.dtype).broadcast(to: [batch, 1, width])
    let tokens =
      Tensor.concatenate([first, embedded], axis: 1) + positions.cast(to: pixels.dtype)
    let last = layers(firstNorm(tokens)) { layer, x in layer(x).sharded(.batch) }
    return lastNorm(last.slice(1, 0..<1).reshape([batch, width]))
  }
}
