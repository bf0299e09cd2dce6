import Layers
import Recipe

/// The sizes of the vision tower of Qwen3-VL, in the form of `vision_config` in transformers' `config.json`.
public struct Qwen3VLVisionConfig: VisionTowerConfig {
  /// The number of layers.
  public var depth: Int
  /// The features of a patch.
  public var width: Int
  /// The features inside a layer's MLP.
  public var hidden: Int
  /// The number of heads.
  public var heads: Int
  /// The features of a merged patch, those of a token of the language model.
  public var output: Int
  /// The channels of images.
  public var channels: Int
  /// The height and width of a patch in pixels.
  public var patch: Int
  /// The frames of a patch; an image is that many equal frames.
  public var frames: Int
  /// The height and width of a merged patch in patches.
  public var merge: Int
  /// The positions that are learned, a square of them.
  public var positions: Int
  /// The layers whose patches are merged too, and added after the first layers of the language model.
  public var deepLayers: [Int]
  /// The activation of the MLP.
  public var activation: Activation
  /// The base of the rotary frequencies.
  public var theta: Double
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case depth
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case heads = "num_heads"
    case output = "out_hidden_size"
    case channels = "in_channels"
    case patch = "patch_size"
    case frames = "temporal_patch_size"
    case merge = "spatial_merge_size"
    case positions = "num_position_embeddings"
    case deepLayers = "deepstack_visual_indexes"
    case activation = "hidden_act"
    case rotary = "rope_parameters"
    case kind = "model_type"
    case execution
  }

  /// The features of a head.
  var headWidth: Int { width / heads }
  /// The rows and columns of the square of learned positions.
  var side: Int { Int(Double(positions).squareRoot()) }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "qwen3_vl_vision", "qwen3_vl")
    depth = try keys.value(.depth, default: 27, in: SizeLimit.layers)
    width = try keys.value(.width, default: 1152, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 4304, in: SizeLimit.features)
    heads = try keys.value(.heads, default: 16, in: SizeLimit.features)
    output = try keys.value(.output, default: 3584, in: SizeLimit.features)
    channels = try keys.value(.channels, default: 3, in: 1...1024)
    patch = try keys.value(.patch, default: 16, in: SizeLimit.patch)
    frames = try keys.value(.frames, default: 2, in: SizeLimit.patch)
    merge = try keys.value(.merge, default: 2, in: SizeLimit.patch)
    positions = try keys.value(.positions, default: 2304, in: SizeLimit.classes)
    deepLayers = try keys.value(.deepLayers, default: [8, 16, 24])
    activation = try keys.choice(.activation, default: .geluTanh)
    theta = try RotaryTheta(from: decoder, kinds: ["axial", "default"]).value
    execution = try keys.execution(.execution, depth: depth)
    guard width % (4 * heads) == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads, "it must divide a quarter of `hidden_size`, \(width)")
    }
    guard width * merge * merge <= SizeLimit.features.upperBound else {
      throw InvalidRecipeValue(
        CodingKeys.merge, merge,
        "merged patches have more features than \(SizeLimit.features.upperBound)")
    }
    guard deepLayers.allSatisfy((0..<depth).contains), Set(deepLayers).count == deepLayers.count
    else {
      throw InvalidRecipeValue(
        CodingKeys.deepLayers, "\(deepLayers)",
        "layers from 0 to \(depth - 1) were expected, each once")
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("qwen3_vl_vision", forKey: .kind)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(output, forKey: .output)
    try keys.encode(channels, forKey: .channels)
    try keys.encode(patch, forKey: .patch)
    try keys.encode(frames, forKey: .frames)
    try keys.encode(merge, forKey: .merge)
    try keys.encode(positions, forKey: .positions)
    try keys.encode(deepLayers, forKey: .deepLayers)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(RotaryTheta.Written(theta: theta, kind: "axial"), forKey: .rotary)
    try keys.encode(execution, .execution, depth: depth)
  }

  /// Binds the tower.
  public func network(_ scope: Scope) -> any VisionTowerNetwork { Qwen3VLVision(scope, self) }
}
