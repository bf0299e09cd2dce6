import Layers
import Tensors

/// A convolutional autoencoder: Rombach and others, "High-resolution image synthesis with latent diffusion
/// models", 2022; diffusers' `AutoencoderKL`, of Stable Diffusion, FLUX and Z-Image.
public struct AutoencoderKL: ImageAutoencoder {
  let config: AutoencoderKLConfig
  let encoder: AutoencoderKLEncoder
  let encoderConvolution: Convolution2D?
  let decoder: AutoencoderKLDecoder

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: AutoencoderKLConfig) {
    self.config = config
    encoder = AutoencoderKLEncoder(scope / "encoder", config)
    let moments = 2 * config.latentChannels
    encoderConvolution =
      config.hasEncoderConvolution
      ? Convolution2D(scope / "quant_conv", moments, moments, kernel: 1, to: nil) : nil
    decoder = AutoencoderKLDecoder(scope, config)
  }

  /// Images to the posteriors of their latents, see `ImageAutoencoder`.
  public func encode(_ images: Tensor) -> Posterior {
    precondition(
      images.rank == 4 && images.shape[3] == config.channels
        && images.shape[1] >= config.reduction && images.shape[2] >= config.reduction,
      "the encoder takes images of \(config.channels) channels of at least \(config.reduction) "
        + "pixels in height and width, not \(images.type)")
    let h = encoder(images)
    return Posterior(moments: encoderConvolution?(h) ?? h)
  }

  /// Latents to images, see `AutoencoderKLDecoder`.
  public func reconstruct(_ latents: Tensor) -> Tensor { decoder(latents) }
}

extension AutoencoderKLConfig {
  /// Scales the autoencoder's latents `[batch, height, width, channels]` for a diffusion model.
  public func normalized(_ latents: Tensor) -> Tensor {
    guard let means, let deviations else { return (latents - shift) * scale }
    return (latents - .perChannel(means, latents.dtype)) / .perChannel(deviations, latents.dtype)
      * scale
  }

  /// Scales a diffusion model's latents back for the autoencoder.
  public func denormalized(_ latents: Tensor) -> Tensor {
    guard let means, let deviations else { return latents / scale + shift }
    return latents * .perChannel(deviations, latents.dtype) / scale
      + .perChannel(means, latents.dtype)
  }
}

/// The encoder: residual blocks at each resolution, with a downsampling convolution between them.
struct AutoencoderKLEncoder {
  let input: Convolution2D
  let levels: [(blocks: AutoencoderKLBlocks, downsample: Convolution?)]
  let head: AutoencoderKLHead
  let middle: AutoencoderKLMiddle

  init(_ scope: Scope, _ config: AutoencoderKLConfig) {
    let widths = config.widths
    input = Convolution2D(scope / "conv_in", config.channels, widths[0], kernel: 3, padding: 1)
    levels = widths.indices.map { i in
      let level = scope / "down_blocks" / i
      let blocks = AutoencoderKLBlocks(
        level, widths[max(0, i - 1)], widths[i], count: config.blocks,
        attends: config.encoderAttention.contains(i), groups: config.groups)
      let last = i == widths.count - 1
      // Padding below and to the right only.
      let downsample =
        last
        ? nil
        : Convolution(
          level / "downsamplers" / 0 / "conv", widths[i], widths[i], kernel: [3, 3],
          strides: [2, 2], padding: [.init(0, 1), .init(0, 1)])
      return (blocks, downsample)
    }
    let width = widths[widths.count - 1]
    middle = AutoencoderKLMiddle(scope / "mid_block", width, config)
    head = AutoencoderKLHead(scope, width, 2 * config.latentChannels, groups: config.groups)
  }

  func callAsFunction(_ images: Tensor) -> Tensor {
    let h = levels.reduce(input(images)) { h, level in
      let h = level.blocks(h)
      return level.downsample?(h) ?? h
    }
    return head(middle(h))
  }
}

/// The decoder of an `AutoencoderKL`: residual blocks at each resolution, with upsampling between them.
public struct AutoencoderKLDecoder {
  let convolution: Convolution2D?
  let input: Convolution2D
  let middle: AutoencoderKLMiddle
  let levels: [(blocks: AutoencoderKLBlocks, upsample: Convolution2D?)]
  let head: AutoencoderKLHead

  /// Binds `decoder` and `post_quant_conv` in the autoencoder's scope.
  public init(_ scope: Scope, _ config: AutoencoderKLConfig) {
    let (latents, widths) = (config.latentChannels, Array(config.widths.reversed()))
    convolution =
      config.hasDecoderConvolution
      ? Convolution2D(scope / "post_quant_conv", latents, latents, kernel: 1, to: nil) : nil
    let scope = scope / "decoder"
    input = Convolution2D(scope / "conv_in", latents, widths[0], kernel: 3, padding: 1)
    middle = AutoencoderKLMiddle(scope / "mid_block", widths[0], config)
    levels = widths.indices.map { i in
      let level = scope / "up_blocks" / i
      let blocks = AutoencoderKLBlocks(
        level, widths[max(0, i - 1)], widths[i], count: config.blocks + 1,
        attends: config.decoderAttention.contains(i), groups: config.groups)
      let last = i == widths.count - 1
      let upsample =
        last
        ? nil
        : Convolution2D(
          level / "upsamplers" / 0 / "conv", widths[i], widths[i], kernel: 3, padding: 1)
      return (blocks, upsample)
    }
    head = AutoencoderKLHead(
      scope, widths[widths.count - 1], config.outputChannels, groups: config.groups)
  }

  /// Latents `[batch, height, width, latent channels]` to images `[batch, height · reduction, width ·
  /// reduction, channels]`, from about −1 to 1.
  public func callAsFunction(_ latents: Tensor) -> Tensor {
    let h = levels.reduce(middle(input(convolution?(latents) ?? latents))) { h, level in
      let h = level.blocks(h)
      return level.upsample?(h.upsampledNearest(2)) ?? h
    }
    return head(h)
  }
}
