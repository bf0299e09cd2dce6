import Layers
import Recipe

/// The sizes of CLIP's encoder of images, in the form of `vision_config` in transformers' `config.json`.
public struct CLIPVisionConfig: Decodable, Hashable, Sendable {
  /// The features of a token.
  public var width = 768
  /// The features inside a layer's MLP.
  public var hidden = 3072
  /// The number of layers.
  public var depth = 12
  /// The heads of attention.
  public var heads = 12
  /// The channels of images.
  public var channels = 3
  /// The height and width of images in pixels.
  public var size = 224
  /// The height and width of a patch in pixels.
  public var patch = 32
  /// The activation of the MLP.
  public var activation = Activation.quickGELU
  /// The ε of the norms.
  public var epsilon = 1e-5
  /// How the stack of layers is executed.
  public var execution = StackExecution.unrolled

  enum CodingKeys: String, CodingKey {
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case depth = "num_hidden_layers"
    case heads = "num_attention_heads"
    case channels = "num_channels"
    case size = "image_size"
    case patch = "patch_size"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case kind = "model_type"
    case execution
  }

  /// The sizes of the published class.
  public init() {}

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "clip_vision_model", "clip")
    width = try keys.value(.width, default: width, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: hidden, in: SizeLimit.features)
    depth = try keys.value(.depth, default: depth, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: heads, in: SizeLimit.features)
    channels = try keys.value(.channels, default: channels, where: { $0 == 3 }, "it must be 3")
    size = try keys.value(.size, default: size, in: SizeLimit.pixels)
    patch = try keys.value(.patch, default: patch, in: SizeLimit.patch)
    activation = try keys.choice(.activation, default: activation)
    epsilon = try keys.value(.epsilon, default: epsilon, in: 0...1)
    execution = try keys.execution(.execution, depth: depth)
    guard width % heads == 0 else {
      throw InvalidRecipeValue(CodingKeys.heads, heads, "it must divide `hidden_size`, \(width)")
    }
    guard patch <= size else {
      throw InvalidRecipeValue(
        CodingKeys.patch, patch, "it may be at most `image_size`, \(size)")
    }
  }

  /// The tokens of an image: its complete patches, and the one whose features are taken.
  var tokens: Int { (size / patch) * (size / patch) + 1 }
}
