import Layers
import Tensors

/// Mask2Former, which finds the masks of things in images: Cheng and others, "Masked-attention mask
/// transformer for universal image segmentation", 2022; `Mask2FormerForUniversalSegmentation` of
/// transformers.
///
/// A backbone, a pixel decoder, and a decoder of queries, each of which becomes a class and a mask.
public struct Mask2Former {
  let backbone: Swin
  let pixels: PixelDecoder
  let queries: QueryDecoder
  let classes: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Mask2FormerConfig) {
    let level = scope / "model" / "pixel_level_module"
    backbone = Swin(level / "encoder", config.backbone)
    pixels = PixelDecoder(level / "decoder", config)
    queries = QueryDecoder(scope / "model" / "transformer_module", config)
    classes = scope.linear("class_predictor", config.width, config.labels.count + 1)
  }

  /// What the network says of images.
  public struct Output {
    /// The logits of each query's class, `[batch, queries, classes + 1]`; the last one is that of nothing.
    public let classes: Tensor
    /// The logits of each query's mask, `[batch, queries, height / stride, width / stride]`.
    public let masks: Tensor
    /// The logits of the classes before each layer of the decoder, for losses and tests.
    public let earlierClasses: [Tensor]
    /// The features of the backbone's stages, `[batch, height, width, features]`.
    public let features: [Tensor]
    /// The features that masks are made of, `[batch, height, width, features]`.
    public let maskFeatures: Tensor
  }

  /// Finds masks in images `[batch, height, width, channels]`.
  public func callAsFunction(_ images: Tensor) -> Output {
    let features = backbone(images)
    let (levels, maskFeatures) = pixels(features)
    let (states, masks) = queries(levels, maskFeatures)
    let logits = states.map { classes($0) }
    return Output(
      classes: logits.last!, masks: masks, earlierClasses: logits.dropLast(),
      features: features, maskFeatures: maskFeatures)
  }
}

extension Tensor {
  /// The sines and cosines of the rows and columns of an image, `[1, height · width, features]`: a half of
  /// the features for the rows, then one for the columns.
  ///
  /// Positions are 1 to the number of rows, brought to 2π: Carion and others, "DETR", 2020.
  static func imagePositions(height: Int, width: Int, features: Int) -> Tensor {
    let half = features / 2
    let frequencies = Tensor.constant(
      10_000, .float32
    ).power(Tensor.iota([half / 2], .float32) * (-2 / Double(half)))
    func axis(_ size: Int) -> Tensor {
      let step = 2 * Float.pi / (Float(size) + 1e-6)
      let angles = ((Tensor.iota([size], .float32) + 1) * Double(step)).expanded([1]) * frequencies
      return Tensor.stack([angles.sin(), angles.cos()], axis: 2).reshape([size, half])
    }
    let shape = Shape([height, width, half])
    let rows = axis(height).expanded([1]).broadcast(to: shape)
    let columns = axis(width).expanded([0]).broadcast(to: shape)
    return Tensor.concatenate([rows, columns], axis: 2).reshape([1, height * width, features])
  }
}
