import Foundation
import Pictures
import Pipelines
import Runtime

/// A network whose features describe pictures.
public protocol PictureFeatures: Sendable {
  /// The name of the network, with what identifies its weights where several have the name.
  var name: String { get }
  /// The number of features.
  var width: Int { get }
  /// What identifies the weights.
  var hash: String { get }

  /// The features of pictures of any size.
  ///
  /// - Throws: the plugin's errors.
  func features(of pictures: [RGBImage]) throws -> FeatureSet
}

/// Where the weights of a network for features are.
public enum PictureFeaturesSource: Sendable {
  /// The file of EfficientNet-Lite0.
  case efficientNet(String)
  /// The folder or the name of a CLIP.
  case clip(String)

  /// Finds a network: a folder with sizes of its own is a CLIP.
  ///
  /// - Parameter given: a file of EfficientNet-Lite0 or a folder with it, or the folder or name of a CLIP; nil for
  ///   what `scripts/fetch-efficientnet` fetches.
  /// - Throws: `PipelineError.notFetched`, and the errors of `ModelLibrary` for an unknown name.
  public init(_ given: String?) throws {
    let path = try ModelLibrary().path(of: given ?? "efficientnet-lite0")
    func has(_ file: String) -> Bool {
      FileManager.default.fileExists(atPath: "\(path)/\(file)")
    }
    if has("efficientnet-lite0.pth") {
      self = .efficientNet("\(path)/efficientnet-lite0.pth")
    } else if has("config.json") || has("open_clip_config.json") {
      self = .clip(path)
    } else {
      self = .efficientNet(path)
    }
  }

  /// The file or folder.
  public var path: String {
    switch self {
    case .efficientNet(let path), .clip(let path): path
    }
  }

  /// Loads the network.
  ///
  /// - Throws: the errors of files and weights, and the plugin's errors.
  public func load(on engine: Engine) throws -> any PictureFeatures {
    switch self {
    case .efficientNet(let path): try EfficientNetFeatures(weights: path, on: engine)
    case .clip(let path): try CLIPFeatures(CLIPJudge(path, on: engine))
    }
  }
}
