import Layers
import Recipe
import Tensors

/// The configuration of an `AutoencoderKLQwenImage`, in the form of diffusers' `config.json`.
///
/// The key `dropout`, which does not change the result, is not read.
public struct AutoencoderKLQwenImageConfig: ImageAutoencoderConfig {
  /// The published name of the class.
  public static let className = "AutoencoderKLQwenImage"

  /// The channels of images.
  public var channels = 3
  /// The channels of latents.
  public var latentChannels = 16
  /// The features of a level, in units of `multiples`.
  public var width = 96
  /// The features of each level as multiples of the width, the highest resolution first.
  public var multiples = [1, 2, 4, 4]
  /// The residual blocks of each level of the encoder; levels of the decoder have one more.
  public var blocks = 2
  /// The scales of the encoder at which attention follows each residual block: 1 is that of the images,
  /// and each level halves it. The published code cannot encode with any.
  public var attentionScales: [Double] = []
  /// Which levels of the encoder downsample time too, for which they have weights that a single frame
  /// does not use; one fewer than there are levels.
  public var downsamplesTime = [false, true, true]
  /// The mean of each channel of latents.
  public var means = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517,
    -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
  ]
  /// The standard deviation of each channel of latents.
  public var deviations = [
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
    1.6382, 1.1253, 2.8251, 1.9160,
  ]

  /// Makes the published sizes of Qwen-Image.
  public init() {}

  /// The channels of decoded images.
  public var outputChannels: Int { channels }

  /// The features of each level, the highest resolution first.
  var widths: [Int] { multiples.map { width * $0 } }

  /// Whether attention follows the residual blocks of a level of the encoder.
  func attends(at level: Int) -> Bool { attentionScales.contains(1 / Double(1 << level)) }

  /// The downsampling factor from images to latents along each axis.
  public var reduction: Int { 1 << (multiples.count - 1) }

  /// Diffusers' default of 256 pixels.
  public var tile: TileSize { TileSize(256, reduction: reduction) }

  /// The network.
  public func network(_ scope: Scope) -> AutoencoderKLQwenImage {
    AutoencoderKLQwenImage(scope, self)
  }

  /// Scales the autoencoder's latents for a diffusion model: the mean is subtracted and the standard
  /// deviation divided by.
  public func normalized(_ latents: Tensor) -> Tensor {
    (latents - .perChannel(means, latents.dtype)) / .perChannel(deviations, latents.dtype)
  }

  /// Scales a diffusion model's latents back for the autoencoder.
  public func denormalized(_ latents: Tensor) -> Tensor {
    latents * .perChannel(deviations, latents.dtype) + .perChannel(means, latents.dtype)
  }

  enum CodingKeys: String, CodingKey {
    case channels = "input_channels"
    case latentChannels = "z_dim"
    case width = "base_dim"
    case multiples = "dim_mult"
    case blocks = "num_res_blocks"
    case attentionScales = "attn_scales"
    case downsamplesTime = "temperal_downsample"
    case means = "latents_mean"
    case deviations = "latents_std"
    case isResidual = "is_residual"
    case patch = "patch_size"
    case className = "_class_name"
  }

  /// Reads the sizes; those that are absent keep their published defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.className)
    // Those of Wan 2.2.
    try keys.expect(.isResidual, false)
    try keys.expect(.patch, 1)
    channels = try keys.value(.channels, default: channels, in: SizeLimit.features)
    latentChannels = try keys.value(
      .latentChannels, default: latentChannels, in: SizeLimit.features)
    width = try keys.value(.width, default: width, in: SizeLimit.features)
    multiples = try keys.value(
      .multiples, default: multiples,
      where: { [width] in
        (1...16).contains($0.count)
          && $0.allSatisfy { $0 > 0 && SizeLimit.features.contains(width.multiplied(by: $0)) }
      }, "it must be 1 to 16 multiples of the width, \(width)")
    let halved = multiples.dropFirst().map { width * $0 }
    guard halved.allSatisfy({ $0 > 1 }) else {
      throw InvalidRecipeValue(
        CodingKeys.width, width, "upsampling halves the features, of which there must be two")
    }
    blocks = try keys.value(.blocks, default: blocks, in: SizeLimit.unrolledLayers)
    attentionScales = try keys.value(.attentionScales, default: attentionScales)
    let levels = multiples.count
    downsamplesTime = try keys.value(
      .downsamplesTime, default: downsamplesTime,
      where: { $0.count == levels - 1 },
      "it must have one value fewer than there are levels, \(levels - 1)")
    means = try keys.value(.means, default: means)
    deviations = try keys.value(.deviations, default: deviations)
    for (key, values) in [(CodingKeys.means, means), (.deviations, deviations)] {
      guard values.count == latentChannels else {
        throw InvalidRecipeValue(
          key, values, "a number for each of the \(latentChannels) channels was expected")
      }
    }
    guard deviations.allSatisfy({ $0 > 0 }) else {
      throw InvalidRecipeValue(CodingKeys.deviations, deviations, "they must be above 0")
    }
  }

  /// Writes the sizes as diffusers does.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode(channels, forKey: .channels)
    try keys.encode(latentChannels, forKey: .latentChannels)
    try keys.encode(width, forKey: .width)
    try keys.encode(multiples, forKey: .multiples)
    try keys.encode(blocks, forKey: .blocks)
    try keys.encode(attentionScales, forKey: .attentionScales)
    try keys.encode(downsamplesTime, forKey: .downsamplesTime)
    try keys.encode(means, forKey: .means)
    try keys.encode(deviations, forKey: .deviations)
  }
}

extension Int {
  /// The product, or the largest number where it overflows.
  fileprivate func multiplied(by other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? .max : product
  }
}
