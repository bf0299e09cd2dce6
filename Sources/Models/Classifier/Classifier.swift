import Layers
import Recipe
import Tensors

/// A small convolutional classifier of images, whose last hidden features also measure distances
/// between sets of images.
public struct Classifier {
  let config: ClassifierConfig
  let convolutions: [(Convolution2D, GroupNorm)]
  let hidden: LinearMap
  let output: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: ClassifierConfig) {
    self.config = config
    let widths = [config.channels, config.width, 2 * config.width, 2 * config.width]
    convolutions = (0..<3).map { i in
      let part = scope / "convolutions" / i
      return (
        Convolution2D(
          part / "convolution", widths[i], widths[i + 1], kernel: 3, padding: 1),
        GroupNorm(part / "norm", groups: 8, channels: widths[i + 1])
      )
    }
    let side = config.size / 4
    hidden = scope.linear("hidden", side * side * widths[3], config.features, to: .hidden)
    output = scope.linear("output", config.features, config.classes, from: .hidden)
  }

  /// Features `[batch, features]` and logits `[batch, classes]` of images within ±1.
  public func callAsFunction(_ x: Tensor) -> (features: Tensor, logits: Tensor) {
    var h = x
    for (i, (convolution, norm)) in convolutions.enumerated() {
      h = norm(convolution(h)).silu()
      if i < 2 { h = h.maxPool(2) }
    }
    let features = hidden(h.reshape([x.shape[0], -1])).silu()
    return (features, output(features))
  }
}

/// The sizes of the classifier.
public struct ClassifierConfig {
  /// The height and width of the images, a multiple of 4.
  public var size = 28
  /// The channels of the images.
  public var channels = 1
  /// The features after the first convolution, a multiple of 8.
  public var width = 32
  /// The number of features that images are compared by.
  public var features = 128
  /// The number of classes.
  public var classes = 10

  /// Makes the sizes for Fashion-MNIST.
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
    Field(
      "width", \.width, where: { SizeLimit.features.contains($0) && $0 % 8 == 0 },
      else: "it must be a multiple of 8, at most \(SizeLimit.features.upperBound)",
      "features after the first convolution"),
    Field("features", \.features, in: SizeLimit.features, "features that images are compared by"),
    Field("classes", \.classes, in: 2...SizeLimit.classes.upperBound, "classes"),
  ]
}

extension ClassifierConfig: SupervisedArchitecture {
  /// The name in recipes.
  public static let kind = "classifier"

  /// The description in the reference.
  public static let summary = "A small convolutional classifier."

  /// The objective that trains it.
  public static let objective = "classification"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> Classifier { Classifier(scope, self) }

  /// Images of the one size that it has, and the classes that it learns.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    [.sample([self.size, self.size, channels]), .classIndex(of: classes)]
  }

  /// The cross-entropy, and the fraction of the images that are classified correctly.
  public func metrics(_ weights: Named<Tensor>, _ batch: Named<Tensor>) -> Named<Tensor> {
    let classes = batch[inputs(nil)[1].name]!
    let logits = Scope.bind(weights) { network($0) }(batch[InputSpec.sample]!).logits
    let accuracy = logits.argmax().equal(classes).cast(to: .float32).mean()
    return Named([("loss", logits.crossEntropy(classes).mean()), ("accuracy", accuracy)])
  }
}
