import Layers
import Recipe
import Tensors

/// The sizes of an MLP for points.
public struct PointNetworkConfig {
  /// The coordinates of a point.
  public var features = 2
  /// The features of the state.
  public var width = 128
  /// The number of blocks.
  public var depth = 4
  /// The sinusoidal features of a time.
  public var frequencies = 64
  /// The factor on times before their sinusoidal features.
  public var timeScale = 100.0
  /// Whether the twin trajectory has an output head of its own.
  public var hasTwinHead = false

  /// Makes the default sizes.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("features", \.features, in: SizeLimit.features, "coordinates of a point"),
    Field("width", \.width, in: SizeLimit.features, "features of the state"),
    Field("depth", \.depth, in: SizeLimit.unrolledLayers, "blocks"),
    Field(
      "frequencies", \.frequencies, where: { SizeLimit.features.contains($0) && $0 % 2 == 0 },
      else: "it must be even, at most \(SizeLimit.features.upperBound)",
      "sinusoidal features of a time"),
    Field(
      "time_scale", \.timeScale, where: { $0 > 0 }, else: "it must be above 0",
      "factor on times before their sinusoidal features"),
    twinHead(\.chosenTwinHead),
  ]
}

extension PointNetworkConfig: TwinHeadedArchitecture {
  /// The last map.
  public var head: [String] { ["output"] }

  /// The head for the twin trajectory starts as a copy of the other one.
  public var added: [AddedParameters] { addedHead }
}

extension PointNetworkConfig: Architecture {
  /// The name in recipes.
  public static let kind = "perceptron"

  /// The description in the reference.
  public static let summary = """
    A residual MLP for points. It knows no classes, so `enhanced_ratio` and `condition_dropout` must
    be 0.
    """

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> PointNetwork { PointNetwork(scope, self) }

  /// Points, which have no size.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    [.sample([features])]
  }
}
