import Layers
import Recipe
import Tensors

/// The configuration of an `AutoencoderKL`, in the form of diffusers' `config.json`.
///
/// The key `force_upcast`, which does not change the result, is not read.
public struct AutoencoderKLConfig: ImageAutoencoderConfig {
  /// The published name of the class.
  public static let className = "AutoencoderKL"

  /// The channels of encoded images.
  public var channels = 3
  /// The channels of decoded images.
  public var outputChannels = 3
  /// The channels of latents.
  public var latentChannels = 4
  /// The features of each level, the highest resolution first.
  public var widths = [64]
  /// The levels of the encoder, 0 with the highest resolution, that have attention after each residual
  /// block.
  public var encoderAttention: Set<Int> = []
  /// Those of the decoder, 0 with the lowest resolution.
  public var decoderAttention: Set<Int> = []
  /// The residual blocks of each level of the encoder; levels of the decoder have one more.
  public var blocks = 1
  /// Groups of the norms; divides every width.
  public var groups = 32
  /// Whether there is attention at the lowest resolution, in the middle blocks.
  public var hasMiddleAttention = true
  /// Whether a 1 × 1 convolution follows the encoder.
  public var hasEncoderConvolution = true
  /// Whether a 1 × 1 convolution precedes the decoder.
  public var hasDecoderConvolution = true
  /// The height and width in pixels of the images of training, which tiles have too.
  public var sampleSize = 32
  /// The factor of latents for a diffusion model.
  public var scale = 0.18215
  /// What is subtracted from latents before they are scaled.
  public var shift = 0.0
  /// The mean of each channel of latents, subtracted in place of the shift; few models have it.
  public var means: [Double]?
  /// The standard deviation of each channel, by which latents are divided.
  public var deviations: [Double]?

  /// Makes diffusers' default sizes.
  public init() {}

  /// The downsampling factor from images to latents along each axis.
  public var reduction: Int { 1 << (widths.count - 1) }

  /// Tiles of the size of the images of training.
  public var tile: TileSize { TileSize(sampleSize, reduction: reduction) }

  /// The network.
  public func network(_ scope: Scope) -> AutoencoderKL { AutoencoderKL(scope, self) }

  enum CodingKeys: String, CodingKey {
    case channels = "in_channels"
    case outputChannels = "out_channels"
    case latentChannels = "latent_channels"
    case widths = "block_out_channels"
    case encoderBlocks = "down_block_types"
    case decoderBlocks = "up_block_types"
    case blocks = "layers_per_block"
    case groups = "norm_num_groups"
    case hasMiddleAttention = "mid_block_add_attention"
    case hasEncoderConvolution = "use_quant_conv"
    case hasDecoderConvolution = "use_post_quant_conv"
    case sampleSize = "sample_size"
    case scale = "scaling_factor"
    case shift = "shift_factor"
    case means = "latents_mean"
    case deviations = "latents_std"
    case activation = "act_fn"
    case className = "_class_name"
  }

  private static let (down, attendingDown) = ("DownEncoderBlock2D", "AttnDownEncoderBlock2D")
  private static let (up, attendingUp) = ("UpDecoderBlock2D", "AttnUpDecoderBlock2D")

  /// Reads the sizes; those that are absent keep their published defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.className)
    try keys.expect(.activation, "silu", "swish")
    channels = try keys.value(.channels, default: channels, in: SizeLimit.features)
    outputChannels = try keys.value(
      .outputChannels, default: outputChannels, in: SizeLimit.features)
    latentChannels = try keys.value(
      .latentChannels, default: latentChannels, in: SizeLimit.features)
    groups = try keys.value(.groups, default: groups, in: SizeLimit.features)
    let groups = groups
    widths = try keys.value(
      .widths, default: widths,
      where: { widths in
        (1...16).contains(widths.count)
          && widths.allSatisfy { SizeLimit.features.contains($0) && $0 % groups == 0 }
      }, "it must be 1 to 16 multiples of the groups, \(groups)")
    encoderAttention = try Self.attention(
      keys, .encoderBlocks, levels: widths.count, plain: Self.down, attending: Self.attendingDown)
    decoderAttention = try Self.attention(
      keys, .decoderBlocks, levels: widths.count, plain: Self.up, attending: Self.attendingUp)
    blocks = try keys.value(.blocks, default: blocks, in: SizeLimit.unrolledLayers)
    hasMiddleAttention = try keys.value(.hasMiddleAttention, default: hasMiddleAttention)
    hasEncoderConvolution = try keys.value(.hasEncoderConvolution, default: hasEncoderConvolution)
    hasDecoderConvolution = try keys.value(.hasDecoderConvolution, default: hasDecoderConvolution)
    sampleSize = try Self.sampleSize(keys) ?? sampleSize
    scale = try keys.value(
      .scale, default: scale, where: { $0 > 0 && $0.isFinite }, "it must be above 0")
    shift = try keys.decodeIfPresent(Double.self, forKey: .shift) ?? 0
    means = try keys.decodeIfPresent([Double].self, forKey: .means)
    deviations = try keys.decodeIfPresent([Double].self, forKey: .deviations)
    for (key, values) in [(CodingKeys.means, means), (.deviations, deviations)] {
      guard values.map({ $0.count == latentChannels }) ?? (means == nil && deviations == nil)
      else {
        throw InvalidRecipeValue(
          key, values.map { "\($0)" } ?? "null",
          "a number for each of the \(latentChannels) channels was expected")
      }
    }
    if let deviations, !deviations.allSatisfy({ $0 > 0 }) {
      throw InvalidRecipeValue(CodingKeys.deviations, deviations, "they must be above 0")
    }
  }

  /// The size of the images of training, given as one number or as height and width; nil where it is
  /// absent.
  private static func sampleSize(_ keys: KeyedDecodingContainer<CodingKeys>) throws -> Int? {
    guard keys.contains(.sampleSize), try !keys.decodeNil(forKey: .sampleSize) else { return nil }
    guard let sizes = try? keys.decode([Int].self, forKey: .sampleSize) else {
      return try keys.value(.sampleSize, in: SizeLimit.pixels)
    }
    guard let size = sizes.max(), sizes.allSatisfy(SizeLimit.pixels.contains) else {
      throw InvalidRecipeValue(CodingKeys.sampleSize, sizes, "it must be a height and a width")
    }
    return size
  }

  /// Which levels have attention.
  private static func attention(
    _ keys: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys, levels: Int, plain: String,
    attending: String
  ) throws -> Set<Int> {
    let kinds: [String] = try keys.value(
      key, default: [plain],
      where: { kinds in
        kinds.count == levels && kinds.allSatisfy { $0 == plain || $0 == attending }
      }, "it must be \(plain) or \(attending) for each of \(levels) levels")
    // The default is for one level alone.
    guard kinds.count == levels else {
      throw InvalidRecipeValue(key, kinds, "one for each of \(levels) levels was expected")
    }
    return Set(kinds.indices.filter { kinds[$0] == attending })
  }

  /// Writes the published form.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode("silu", forKey: .activation)
    try keys.encode(channels, forKey: .channels)
    try keys.encode(outputChannels, forKey: .outputChannels)
    try keys.encode(latentChannels, forKey: .latentChannels)
    try keys.encode(widths, forKey: .widths)
    try keys.encode(
      widths.indices.map { encoderAttention.contains($0) ? Self.attendingDown : Self.down },
      forKey: .encoderBlocks)
    try keys.encode(
      widths.indices.map { decoderAttention.contains($0) ? Self.attendingUp : Self.up },
      forKey: .decoderBlocks)
    try keys.encode(blocks, forKey: .blocks)
    try keys.encode(groups, forKey: .groups)
    try keys.encode(hasMiddleAttention, forKey: .hasMiddleAttention)
    try keys.encode(hasEncoderConvolution, forKey: .hasEncoderConvolution)
    try keys.encode(hasDecoderConvolution, forKey: .hasDecoderConvolution)
    try keys.encode(sampleSize, forKey: .sampleSize)
    try keys.encode(scale, forKey: .scale)
    try keys.encode(shift, forKey: .shift)
    try keys.encodeIfPresent(means, forKey: .means)
    try keys.encodeIfPresent(deviations, forKey: .deviations)
  }
}
