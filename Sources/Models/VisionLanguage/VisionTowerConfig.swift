import Layers
import Tensors
import Weights

/// A network that turns images into tokens of a language model.
public protocol VisionTowerNetwork {
  /// Embeds images.
  ///
  /// - Parameters:
  ///   - patches: `[patches, channels · frames · patch²]`, the patches of all images: by squares of
  ///     `merge`² patches in reading order, and so within a square; a patch's values in the order
  ///     channel, frame, row, column.
  ///   - grids: the sizes of the images in patches.
  ///   - dtype: the element type of the computation; norms and softmax are computed in f32 or wider.
  /// - Returns: the merged patches of all images in reading order.
  func features(_ patches: Tensor, grids: [TokenGrid], in dtype: DType) -> VisionFeatures
}

/// The sizes of a vision tower, in the form of `vision_config` in transformers' `config.json`.
public protocol VisionTowerConfig: Codable, Hashable, Sendable {
  /// The features of a merged patch, those of a token of the language model.
  var output: Int { get }
  /// The channels of images.
  var channels: Int { get }
  /// The height and width of a patch in pixels.
  var patch: Int { get }
  /// The frames of a patch; an image is that many equal frames.
  var frames: Int { get }
  /// The height and width of a merged patch in patches.
  var merge: Int { get }

  /// Binds the tower.
  func network(_ scope: Scope) -> any VisionTowerNetwork
}

extension VisionTowerConfig {
  /// The values of a patch.
  public var patchValues: Int { channels * frames * patch * patch }

  /// The names of the parameters in a checkpoint with these arrays: of the whole model as published or
  /// as transformers 5 names its modules, or of the tower alone. Queries, keys and values are one map.
  public func names(in arrays: [String]) -> NameMap {
    let prefixes = ["visual.", "model.visual.", ""]
    let parts = ["q", "k", "v"].map { "blocks.*.attn.\($0)" }
    var names = NameMap([.split(disk: "blocks.*.attn.qkv", parts)])
    names.prefix =
      prefixes.first { arrays.contains($0 + "patch_embed.proj.weight") } ?? prefixes[0]
    return names
  }

  /// Whether an array of a checkpoint does not belong to the tower.
  ///
  /// - Parameter names: the names of the tower's parameters in the checkpoint.
  public func ignores(_ array: String, named names: NameMap) -> Bool {
    !array.hasPrefix(names.prefix) || array.hasSuffix(".rotary_pos_emb.inv_freq")
  }

  /// Checks patches and their number.
  func check(_ patches: Tensor, _ grids: [TokenGrid]) {
    let count = grids.reduce(0) { $0 + $1.count }
    precondition(
      patches.shape == [count, patchValues],
      "images of \(count) patches of \(patchValues) values are not \(patches.type)")
  }
}
