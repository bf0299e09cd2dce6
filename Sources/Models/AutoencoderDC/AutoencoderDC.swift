import Layers
import Tensors

/// The deep-compression autoencoder of SANA: Chen and others, "Deep compression autoencoder for efficient
/// high-resolution diffusion models", 2024; diffusers' `AutoencoderDC`.
///
/// It halves the resolution five times, with shortcuts that move pixels into channels, and its latents are not
/// sampled.
public struct AutoencoderDC: ImageAutoencoder {
  let config: AutoencoderDCConfig
  let encoder: AutoencoderDCEncoder
  let decoder: AutoencoderDCDecoder

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: AutoencoderDCConfig) {
    self.config = config
    encoder = AutoencoderDCEncoder(scope / "encoder", config)
    decoder = AutoencoderDCDecoder(scope / "decoder", config)
  }

  /// Images to their latents, which have no variance.
  public func encode(_ images: Tensor) -> Posterior {
    precondition(
      images.rank == 4 && images.shape[3] == config.channels
        && images.shape[1] % config.reduction == 0 && images.shape[2] % config.reduction == 0,
      "the encoder takes images of \(config.channels) channels whose height and width are multiples "
        + "of \(config.reduction), not \(images.type)")
    return Posterior(exactly: encoder(images))
  }

  /// Latents to images.
  public func reconstruct(_ latents: Tensor) -> Tensor { decoder(latents) }
}

/// The encoder: blocks at each resolution, with downsampling between them.
struct AutoencoderDCEncoder {
  let input: (Tensor) -> Tensor
  let levels: [(blocks: [AutoencoderDCBlock], downsample: DCDownsampling?)]
  let output: Convolution2D
  /// The channels that are averaged into one of the latent; nil without this shortcut.
  let group: Int?

  init(_ scope: Scope, _ config: AutoencoderDCConfig) {
    let (side, kind) = (config.encoder, config.downsampling)
    let (widths, first) = (side.widths, side.firstLevel)
    if first == 0 {
      let convolution = Convolution2D(
        scope / "conv_in", config.channels, widths[0], kernel: 3, padding: 1)
      input = { convolution($0) }
    } else {
      let downsampling = DCDownsampling(
        scope / "conv_in", config.channels, widths[first], kind, hasShortcut: false)
      input = { downsampling($0) }
    }
    levels = (first..<widths.count).map { i in
      let level = scope / "down_blocks" / i
      let blocks = (0..<side.layers[i]).map {
        AutoencoderDCBlock(level / $0, side, level: i, headWidth: config.headWidth)
      }
      let downsample =
        i == widths.count - 1
        ? nil
        : DCDownsampling(
          level / side.layers[i], widths[i], widths[i + 1], kind, hasShortcut: true)
      return (blocks, downsample)
    }
    let width = widths[widths.count - 1]
    output = Convolution2D(
      scope / "conv_out", width, config.latentChannels, kernel: 3, padding: 1, to: nil)
    group = config.hasEncoderShortcut ? width / config.latentChannels : nil
  }

  func callAsFunction(_ images: Tensor) -> Tensor {
    let h = levels.reduce(input(images)) { h, level in
      let h = level.blocks.reduce(h) { $1($0) }
      return level.downsample?(h) ?? h
    }
    return group.map { output(h) + h.channelMeans($0) } ?? output(h)
  }
}

/// The decoder: blocks at each resolution, with upsampling between them.
struct AutoencoderDCDecoder {
  let input: Convolution2D
  /// The channels that each of the latent is repeated to; nil without this shortcut.
  let repeats: Int?
  /// The lowest resolution first.
  let levels: [(upsample: DCUpsampling?, blocks: [AutoencoderDCBlock])]
  let norm: RMSNorm
  let activation: Activation
  let output: (Tensor) -> Tensor

  init(_ scope: Scope, _ config: AutoencoderDCConfig) {
    let (side, kind) = (config.decoder, config.upsampling)
    let (widths, first) = (side.widths, side.firstLevel)
    let last = widths.count - 1
    input = Convolution2D(
      scope / "conv_in", config.latentChannels, widths[last], kernel: 3, padding: 1)
    repeats = config.hasDecoderShortcut ? widths[last] / config.latentChannels : nil
    levels = (first..<widths.count).reversed().map { i in
      let level = scope / "up_blocks" / i
      let upsample =
        i == last
        ? nil : DCUpsampling(level / 0, widths[i + 1], widths[i], kind, hasShortcut: true)
      let start = upsample == nil ? 0 : 1
      let blocks = (0..<side.layers[i]).map {
        AutoencoderDCBlock(level / (start + $0), side, level: i, headWidth: config.headWidth)
      }
      return (upsample, blocks)
    }
    norm = RMSNorm(scope / "norm_out", widths[first], epsilon: 1e-5, bias: true)
    activation = config.outputActivation
    if first == 0 {
      let convolution = Convolution2D(
        scope / "conv_out", widths[0], config.channels, kernel: 3, padding: 1, to: nil)
      output = { convolution($0) }
    } else {
      let upsampling = DCUpsampling(
        scope / "conv_out", widths[first], config.channels, kind, hasShortcut: false)
      output = { upsampling($0) }
    }
  }

  func callAsFunction(_ latents: Tensor) -> Tensor {
    let start = repeats.map { input(latents) + latents.repeatedChannels($0) } ?? input(latents)
    let h = levels.reduce(start) { h, level in
      level.blocks.reduce(level.upsample?(h) ?? h) { $1($0) }
    }
    return output(activation(norm(h)))
  }
}
