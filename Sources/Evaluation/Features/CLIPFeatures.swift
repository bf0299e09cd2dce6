import Pictures
import Pipelines

/// Computes the features of pictures by a CLIP: the projected ones, which are compared with those of texts, without
/// their being brought to length 1, as torch-fidelity takes them.
public final class CLIPFeatures: PictureFeatures {
  /// CLIP, with the beginning of the hash.
  public let name: String
  /// The hash of the weights.
  public let hash: String
  private let network: CLIPJudge

  /// Makes features of a network.
  ///
  /// - Throws: the errors of files.
  public init(_ network: CLIPJudge) throws {
    self.network = network
    hash = try network.component.contentHash
    name = "CLIP \(hash.prefix(8))"
  }

  /// The number of projected features.
  public var width: Int { network.config.projection }

  /// The features of pictures, which are prepared as the network asks.
  ///
  /// - Throws: the plugin's errors.
  public func features(of pictures: [RGBImage]) throws -> FeatureSet {
    let rows = try network.rawFeatures(ofPixels: pictures.map { network.processor($0) })
    return FeatureSet(rows.flatMap { $0 }, width: width)
  }
}
