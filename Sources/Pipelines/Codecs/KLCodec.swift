import Models
import Tensors

/// The codec of networks that work on the latents of an `AutoencoderKL`, scaled as diffusion models
/// expect them.
public struct KLCodec: LatentCodec {
  /// The configuration of the autoencoder.
  public let config: AutoencoderKLConfig
  private let network: AutoencoderKL

  /// Makes the codec of an autoencoder that is bound to weights.
  public init(_ network: AutoencoderKL, _ config: AutoencoderKLConfig) {
    (self.network, self.config) = (network, config)
  }

  /// One latent for each square of `config.reduction` pixels.
  public func latent(of size: ImageSize) -> Shape {
    [size.height / config.reduction, size.width / config.reduction, config.latentChannels]
  }

  /// Samples of the images' latent distributions, scaled.
  public func encode(_ images: Tensor, key: Key) -> Tensor {
    let posterior = network.encode(images)
    let noise = key.normal(posterior.mean.shape, posterior.mean.dtype)
    return config.normalized(posterior.latents(noise: noise))
  }

  /// The images of scaled latents.
  public func decode(_ latents: Tensor) -> Tensor {
    network.decode(config.denormalized(latents))
  }
}
