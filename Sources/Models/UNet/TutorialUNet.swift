import Flow
import Layers
import Recipe
import Tensors

/// The small U-Net of the published tutorial: two levels, no norms, conditions added at the bottom.
public struct TutorialUNet: VelocityModel {
  let config: TutorialUNetConfig
  let time: MLP
  let target: MLP
  let classEmbedding: Embedding
  let down1: (Convolution2D, Convolution2D)
  let down2: (Convolution2D, Convolution2D)
  let bottom: Convolution2D
  let condition: LinearMap
  let up1: (TransposedConvolution2D, Convolution2D)
  let up2: (TransposedConvolution2D, Convolution2D)
  let output: Convolution2D

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: TutorialUNetConfig) {
    self.config = config
    let (width, features) = (config.width, config.features)
    func level(_ name: String, _ input: Int, _ output: Int) -> (Convolution2D, Convolution2D) {
      let part = scope / name
      return (
        Convolution2D(part / "convolution", input, output, kernel: 3, padding: 1),
        Convolution2D(part / "down", output, output, kernel: 4, stride: 2, padding: 1)
      )
    }
    func rise(
      _ name: String, _ input: Int, _ output: Int
    ) -> (TransposedConvolution2D, Convolution2D) {
      let part = scope / name
      return (
        TransposedConvolution2D(part / "up", input, output, kernel: 4, stride: 2, padding: 1),
        Convolution2D(part / "convolution", output, output, kernel: 3, padding: 1)
      )
    }
    // The published network starts as PyTorch does: weights and biases uniform by the fan-in.
    func linear(_ scope: Scope, _ name: String, _ input: Int, _ output: Int) -> LinearMap {
      scope.linear(
        name, input, output, initial: .fanIn(input), initialBias: .fanIn(input), to: .embed)
    }
    func times(_ scope: Scope) -> MLP {
      MLP(linear(scope, "input", 1, features), linear(scope, "output", features, features)) {
        $0.relu()
      }
    }
    time = times(scope / "time")
    target = times(scope / "target")
    classEmbedding = Embedding(
      scope / "class_embedding", count: config.classes + 1, width: features, initial: .normal(1))
    down1 = level("down1", config.channels, width)
    down2 = level("down2", width, 2 * width)
    bottom = Convolution2D(scope / "bottom", 2 * width, 4 * width, kernel: 3, padding: 1)
    condition = linear(scope, "condition", 3 * features, 4 * width)
    up1 = rise("up1", 6 * width, 2 * width)
    up2 = rise("up2", 3 * width, width)
    output = Convolution2D(
      scope / "output", width, config.channels, kernel: 3, padding: 1, to: nil)
  }

  /// - Parameters:
  ///   - x: images `[batch, height, width, channels]`.
  ///   - condition: `class`, indices `[batch]`; the number of classes itself says nothing.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition given: Named<Tensor>
  ) -> Tensor {
    guard let classes = given["class"] else { preconditionFailure("the class is missing") }
    let column = { (t: Tensor) in t.cast(to: x.dtype).expanded([1]) }
    let features = Tensor.concatenate(
      [time(column(t)), target(column(tt)), classEmbedding(classes).cast(to: x.dtype)], axis: 1)

    let skip1 = down1.1(down1.0(x).relu())
    let skip2 = down2.1(down2.0(skip1.relu()).relu())
    // The conditions are added to the bottom everywhere; what depends on the image alone is thus
    // shared by evaluations at several times.
    let low = bottom(skip2.relu())
    let shift = up1.0.difference(condition(features), size: (low.shape[1], low.shape[2]))
    let rise1 = up1.1((up1.0(.concatenate([low, skip2], axis: -1)) + shift).relu())
    let rise2 = up2.1(up2.0(Tensor.concatenate([rise1, skip1], axis: -1).relu()).relu())
    return x - output(rise2)
  }
}

/// The sizes of the tutorial's U-Net.
public struct TutorialUNetConfig {
  /// The height and width of the images, a multiple of 4.
  public var size = 28
  /// The channels of the images.
  public var channels = 1
  /// The features of the first level; each one below has twice as many.
  public var width = 64
  /// The features of times and classes.
  public var features = 64
  /// The number of classes; one more stands for no class.
  public var classes = 10

  /// Makes the tutorial's sizes.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "size", \.size, where: { SizeLimit.pixels.contains($0) && $0 % 4 == 0 },
      else: "it must be a multiple of 4, at most \(SizeLimit.pixels.upperBound)",
      "height and width of the images"),
    Field("channels", \.channels, in: SizeLimit.features, "channels of the images"),
    Field("width", \.width, in: SizeLimit.features, "features of the first level"),
    Field("features", \.features, in: SizeLimit.features, "features of times and classes"),
    Field("classes", \.classes, in: SizeLimit.classes, "classes; one more index stands for none"),
  ]
}

extension TutorialUNetConfig: Architecture {
  /// The name in recipes.
  public static let kind = "tutorial-unet"

  /// The description in the reference.
  public static let summary = "The small U-Net of the published tutorial."

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> TutorialUNet { TutorialUNet(scope, self) }

  /// Images, and their classes.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels]), .classIndex(of: classes)]
  }
}
