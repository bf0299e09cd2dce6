import Layers
import Recipe

/// The sizes of a Swin transformer as a backbone, in the form of transformers' `config.json`.
public struct SwinConfig: Decodable, Hashable, Sendable {
  /// The channels of images.
  public var channels = 3
  /// The features of a token in the first stage; each further stage has twice as many.
  public var width = 96
  /// The height and width of a patch in pixels.
  public var patch = 4
  /// The number of layers of each stage.
  public var depths = [2, 2, 18, 2]
  /// The heads of attention in each stage.
  public var heads = [3, 6, 12, 24]
  /// The height and width of a window in tokens.
  public var window = 7
  /// The width of a layer's MLP, as a multiple of the features.
  public var ratio = 4.0
  /// Whether the maps to queries, keys and values have a bias.
  public var hasBias = true
  /// The activation of the MLP.
  public var activation = Activation.gelu
  /// The ε of the layers' norms.
  public var epsilon = 1e-5
  /// Whether, where four tokens become one, the four values of a feature are next to each other, as in
  /// mmdetection, and not all features of a token.
  public var mergesFeatures = false

  enum CodingKeys: String, CodingKey {
    case channels = "num_channels"
    case width = "embed_dim"
    case patch = "patch_size"
    case depths
    case heads = "num_heads"
    case window = "window_size"
    case ratio = "mlp_ratio"
    case hasBias = "qkv_bias"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case absolute = "use_absolute_embeddings"
    case features = "out_features"
    case kind = "model_type"
  }

  /// The sizes of Swin-S, which Mask2Former's published class has by default.
  public init() {}

  /// Reads the sizes; those that are absent are those of the published class, Swin-T.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "swin")
    try keys.expect(.absolute, false)
    channels = try keys.value(.channels, default: 3, where: { $0 == 3 }, "it must be 3")
    width = try keys.value(.width, default: 96, in: SizeLimit.features)
    if let sides = try? keys.decode([Int].self, forKey: .patch) {
      guard Set(sides).count == 1, SizeLimit.patch.contains(sides[0]) else {
        throw InvalidRecipeValue(CodingKeys.patch, sides, "patches must be squares")
      }
      patch = sides[0]
    } else {
      patch = try keys.value(.patch, default: 4, in: SizeLimit.patch)
    }
    depths = try keys.value(
      .depths, default: [2, 2, 6, 2],
      where: { (1...8).contains($0.count) && $0.allSatisfy(SizeLimit.unrolledLayers.contains) },
      "a number of layers for each stage was expected")
    heads = try keys.value(.heads, default: [3, 6, 12, 24])
    let widths = (0..<depths.count).map { width << $0 }
    guard heads.count == depths.count,
      zip(widths, heads).allSatisfy({ $1 > 0 && $0 % $1 == 0 })
    else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads, "divisors of \(widths), one for each stage, were expected")
    }
    window = try keys.value(.window, default: 7, in: 1...256)
    ratio = try keys.value(.ratio, default: 4, in: 0.01...1000)
    hasBias = try keys.value(.hasBias, default: true)
    activation = try keys.choice(.activation, default: .gelu)
    epsilon = try keys.value(.epsilon, default: 1e-5, in: 0...1)
    let stages = depths.indices.map { "stage\($0 + 1)" }
    let features = try keys.decodeIfPresent([String].self, forKey: .features) ?? stages
    guard features == stages else {
      throw InvalidRecipeValue(
        CodingKeys.features, features, "the features of all stages were expected, \(stages)")
    }
  }

  /// The features of each stage.
  public var widths: [Int] { depths.indices.map { width << $0 } }

  /// The pixels of an image in each direction for a token of each stage.
  public var strides: [Int] { depths.indices.map { patch << $0 } }
}
