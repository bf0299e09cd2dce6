import Files
import Foundation
import Layers
import Models
import Pictures
import Pipelines
import Runtime
import Tensors
import Weights

/// Computes the features of pictures by EfficientNet-Lite0, see `EfficientNetLite`.
///
/// Distances by these features are not comparable with published ones, which are by Inception's.
public final class EfficientNetFeatures: PictureFeatures {
  /// The name of the network.
  public let name = "EfficientNet-Lite0"
  /// The number of features.
  public let width = EfficientNetLite.features
  /// The hash of the file of the weights.
  public let hash: String
  private let engine: Engine
  private let weights: Named<ShardedArray>
  private let function: CompiledFunction

  /// The number of pictures that are computed together.
  private static let batch = 16

  /// Loads the network.
  ///
  /// - Parameter path: the file of the weights.
  /// - Throws: `WeightsError`, `FileError`, and the plugin's errors.
  public init(weights path: String, on engine: Engine) throws {
    self.engine = engine
    hash = try ContentHash.ofFile(path)
    let specs = Scope.declare { EfficientNetLite($0) }
    let loader = WeightLoader(engine.client)
    weights = try loader.load(
      specs, from: WeightFiles(path: path), as: { _ in .float32 },
      ignoring: EfficientNetLite.ignores)
    var arguments = weights.types.prefixed("weights")
    let side = EfficientNetLite.size
    arguments["pixels"] = TensorType([Self.batch, side, side, 3], .uint8)
    function = try engine.compile(arguments) { arguments in
      let network = Scope.bind(arguments.group("weights")) { EfficientNetLite($0) }
      let pixels = arguments["pixels"]!.cast(to: .float32)
      let (features, logits) = network(
        (pixels - EfficientNetLite.pixelOffset) / EfficientNetLite.pixelScale)
      return Named([("features", features), ("logits", logits)])
    }
  }

  /// The features of pictures, as the whole result has them.
  ///
  /// - Throws: the plugin's errors.
  public func features(of pictures: [RGBImage]) throws -> FeatureSet {
    try self(pictures).features
  }

  /// What the network says of pictures.
  public struct Result: Sendable {
    /// The features.
    public let features: FeatureSet
    /// The logits of ImageNet's classes, picture by picture.
    public let logits: [Float]
  }

  /// The features of pictures, which are first resized to 224 × 224 by bicubic interpolation.
  ///
  /// - Throws: the plugin's errors.
  public func callAsFunction(_ pictures: some Sequence<RGBImage>) throws -> Result {
    let side = EfficientNetLite.size
    var features = FeatureSet(width: width)
    var logits: [Float] = []
    var pixels: [UInt8] = []
    var count = 0
    func flush() throws {
      guard count > 0 else { return }
      pixels += [UInt8](repeating: 0, count: (Self.batch - count) * side * side * 3)
      var arguments = weights.prefixed("weights")
      arguments["pixels"] = try engine.array(pixels, shape: [Self.batch, side, side, 3])
      let results = try function(arguments)
      let all: [Float] = try results["features"]!.array()
      features.append(all.prefix(count * features.width))
      logits += try results["logits"]!.array(of: Float.self)
        .prefix(count * EfficientNetLite.classes)
      (pixels, count) = ([], 0)
    }
    for picture in pictures {
      pixels += picture.resized(width: side, height: side, filter: .bicubic).values
      count += 1
      if count == Self.batch { try flush() }
    }
    try flush()
    return Result(features: features, logits: logits)
  }
}
