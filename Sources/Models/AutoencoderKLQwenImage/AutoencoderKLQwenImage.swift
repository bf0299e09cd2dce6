import Layers
import Tensors

/// The autoencoder of Qwen-Image, of images: Qwen Team, "Qwen-Image technical report", 2025; diffusers'
/// `AutoencoderKLQwenImage`.
///
/// It is the causal video autoencoder of "Wan" (Wan Team, 2025) on a single frame, where convolutions
/// over time see only that frame and time is not resampled; so it computes in two dimensions. The weights
/// are those of the video autoencoder.
public struct AutoencoderKLQwenImage: ImageAutoencoder {
  let config: AutoencoderKLQwenImageConfig
  let encoder: AutoencoderKLQwenImageEncoder
  let encoderConvolution: FrameConvolution
  let decoder: AutoencoderKLQwenImageDecoder

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: AutoencoderKLQwenImageConfig) {
    self.config = config
    encoder = AutoencoderKLQwenImageEncoder(scope / "encoder", config)
    let moments = 2 * config.latentChannels
    encoderConvolution = FrameConvolution(
      scope / "quant_conv", moments, moments, kernel: 1, to: nil)
    decoder = AutoencoderKLQwenImageDecoder(scope, config)
  }

  /// Images to the posteriors of their latents, see `ImageAutoencoder`.
  public func encode(_ images: Tensor) -> Posterior {
    precondition(
      images.rank == 4 && images.shape[3] == config.channels
        && images.shape[1] >= config.reduction && images.shape[2] >= config.reduction,
      "the encoder takes images of \(config.channels) channels of at least \(config.reduction) "
        + "pixels in height and width, not \(images.type)")
    return Posterior(moments: encoderConvolution(encoder(images)))
  }

  /// Latents to images that are not clamped.
  public func reconstruct(_ latents: Tensor) -> Tensor { decoder(latents) }

  /// Latents to images, clamped to ±1.
  public func decode(_ latents: Tensor) -> Tensor { decoder(latents).clamped(-1...1) }
}

/// The encoder: residual blocks at each resolution, with a downsampling convolution between them.
struct AutoencoderKLQwenImageEncoder {
  let input: FrameConvolution
  let layers: [(Tensor) -> Tensor]
  let middle: AutoencoderKLQwenImageMiddle
  let head: AutoencoderKLQwenImageHead

  init(_ scope: Scope, _ config: AutoencoderKLQwenImageConfig) {
    let widths = config.widths
    input = FrameConvolution(scope / "conv_in", config.channels, config.width)
    // All layers are numbered in one list.
    var layers: [(Tensor) -> Tensor] = []
    var width = config.width
    for (level, output) in widths.enumerated() {
      for _ in 0..<config.blocks {
        let block = AutoencoderKLQwenImageResidual(
          scope / "down_blocks" / layers.count, width, output)
        layers.append { block($0) }
        width = output
        guard config.attends(at: level) else { continue }
        let attention = AutoencoderKLQwenImageAttention(
          scope / "down_blocks" / layers.count, output)
        layers.append { attention($0) }
      }
      guard level < widths.count - 1 else { continue }
      let downsample = FrameDownsample(
        scope / "down_blocks" / layers.count, output, time: config.downsamplesTime[level])
      layers.append { downsample($0) }
    }
    self.layers = layers
    middle = AutoencoderKLQwenImageMiddle(scope / "mid_block", width)
    head = AutoencoderKLQwenImageHead(scope, width, 2 * config.latentChannels)
  }

  func callAsFunction(_ images: Tensor) -> Tensor {
    head(middle(layers.reduce(input(images)) { $1($0) }))
  }
}

/// The decoder of an `AutoencoderKLQwenImage`: residual blocks at each resolution, with upsampling between
/// them.
public struct AutoencoderKLQwenImageDecoder {
  let convolution: FrameConvolution
  let input: FrameConvolution
  let middle: AutoencoderKLQwenImageMiddle
  let levels: [(blocks: [AutoencoderKLQwenImageResidual], upsample: FrameUpsample?)]
  let head: AutoencoderKLQwenImageHead

  /// Binds `decoder` and `post_quant_conv` in the autoencoder's scope.
  public init(_ scope: Scope, _ config: AutoencoderKLQwenImageConfig) {
    let (latents, widths) = (config.latentChannels, Array(config.widths.reversed()))
    convolution = FrameConvolution(
      scope / "post_quant_conv", latents, latents, kernel: 1, to: nil)
    let scope = scope / "decoder"
    let upsamplesTime = Array(config.downsamplesTime.reversed())
    input = FrameConvolution(scope / "conv_in", latents, widths[0])
    middle = AutoencoderKLQwenImageMiddle(scope / "mid_block", widths[0])
    levels = widths.indices.map { i in
      let level = scope / "up_blocks" / i
      let entering = i == 0 ? widths[0] : widths[i - 1] / 2
      let blocks = (0...config.blocks).map {
        AutoencoderKLQwenImageResidual(
          level / "resnets" / $0, $0 == 0 ? entering : widths[i], widths[i])
      }
      let upsample =
        i == widths.count - 1
        ? nil : FrameUpsample(level / "upsamplers" / 0, widths[i], time: upsamplesTime[i])
      return (blocks, upsample)
    }
    head = AutoencoderKLQwenImageHead(scope, widths[widths.count - 1], config.channels)
  }

  /// Latents `[batch, height, width, latent channels]` to images `[batch, height · reduction, width ·
  /// reduction, channels]`, from about −1 to 1.
  public func callAsFunction(_ latents: Tensor) -> Tensor {
    let h = levels.reduce(middle(input(convolution(latents)))) { h, level in
      let h = level.blocks.reduce(h) { $1($0) }
      return level.upsample?(h) ?? h
    }
    return head(h)
  }
}
