import Layers
import Recipe
import Tensors

/// The sizes of a perceptron for points.
public struct PointNetworkConfig {
  /// The coordinates of a point.
  public var features = 2
  /// The features of the state.
  public var width = 128
  /// The number of blocks.
  public var depth = 4
  /// The sinusoidal features of a time.
  public var frequencies = 64
  /// What times are multiplied with before their sinusoidal features.
  public var timeScale = 100.0

  /// Makes the usual sizes.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case features, width, depth, frequencies
    case timeScale = "time_scale"
  }

  /// Reads the sizes; those that are absent keep their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    features = try keys.value(.features, default: features, in: SizeLimit.features)
    width = try keys.value(.width, default: width, in: SizeLimit.features)
    depth = try keys.value(.depth, default: depth, in: SizeLimit.unrolledLayers)
    frequencies = try keys.value(
      .frequencies, default: frequencies,
      where: { SizeLimit.features.contains($0) && $0 % 2 == 0 },
      "it must be even, at most \(SizeLimit.features.upperBound)")
    timeScale = try keys.value(
      .timeScale, default: timeScale, where: { $0 > 0 }, "it must be above 0")
  }
}

extension PointNetworkConfig: Architecture {
  /// The name in recipes.
  public static let kind = "perceptron"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> PointNetwork { PointNetwork(scope, self) }

  /// Points alone, which have no size.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    [.sample([features])]
  }
}
