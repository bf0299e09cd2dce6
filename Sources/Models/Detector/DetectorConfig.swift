import Layers
import Recipe
import Tensors

/// The sizes of a detector of small objects.
public struct DetectorConfig {
  /// The height and width of the pictures, a multiple of 4.
  public var size = 64
  /// The features of a cell of 4 × 4 pixels, a multiple of 8.
  public var width = 64
  /// The number of residual blocks.
  public var depth = 4
  /// The number of classes.
  public var classes = 34
  /// The number of colors.
  public var colors = 6
  /// The most objects of a training picture.
  public var objects = 4

  /// Makes the sizes for emoji-compositions.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "size", \.size, where: { SizeLimit.pixels.contains($0) && $0 % 4 == 0 },
      else: "it must be a multiple of 4, at most \(SizeLimit.pixels.upperBound)",
      "height and width of the pictures"),
    Field(
      "width", \.width, where: { SizeLimit.features.contains($0) && $0 % 16 == 0 },
      else: "it must be a multiple of 16, at most \(SizeLimit.features.upperBound)",
      "features of a cell of 4 × 4 pixels"),
    Field("depth", \.depth, in: SizeLimit.unrolledLayers, "residual blocks"),
    Field("classes", \.classes, in: 1...SizeLimit.classes.upperBound, "classes"),
    Field("colors", \.colors, in: 1...SizeLimit.classes.upperBound, "colors"),
    Field("objects", \.objects, in: 1...64, "most objects of a training picture"),
  ]

  /// The number of cells along a side.
  public var cells: Int { size / 4 }
}

extension DetectorConfig: SupervisedArchitecture {
  /// The name in recipes.
  public static let kind = "detector"

  /// The description in the reference.
  public static let summary = """
    A small convolutional detector of objects with colors, after Zhou, Wang and Krähenbühl, "Objects as
    points", 2019: a score of each class at the centers of objects, and their boxes and colors there.
    """

  /// The objective that trains it.
  public static let objective = "detection"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> Detector { Detector(scope, self) }

  /// Pictures, and the objects that it learns: see `DetectorTargets`.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    [.sample([self.size, self.size, 3]), DetectorTargets.spec(most: objects)]
  }

  /// The loss and its parts.
  public func metrics(_ weights: Named<Tensor>, _ batch: Named<Tensor>) -> Named<Tensor> {
    let output = Scope.bind(weights) { network($0) }(batch[InputSpec.sample]!)
    return DetectorTargets(batch[DetectorTargets.name]!, like: output).metrics(output)
  }
}
