import Layers
import Models
import Tensors

/// The codec of networks that work on the latents of an autoencoder, scaled as diffusion models expect
/// them.
public struct AutoencoderCodec: LatentCodec {
  /// The configuration of the autoencoder.
  public let config: any ImageAutoencoderConfig
  private let network: any ImageAutoencoder

  /// Makes the codec of an autoencoder that is bound to the weights of a scope.
  public init(_ scope: Scope, _ config: any ImageAutoencoderConfig) {
    self.config = config
    network = config.network(scope)
  }

  /// One latent for each square of `config.reduction` pixels.
  public func latent(of size: ImageSize) -> Shape {
    [size.height / config.reduction, size.width / config.reduction, config.latentChannels]
  }

  /// The means of the images' latent distributions, scaled.
  public func encode(_ images: Tensor) -> Tensor {
    config.normalized(network.encode(images).mean)
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

  /// The images of scaled latents before the published decoder clamps them, as tiles are blended.
  func reconstruct(_ latents: Tensor) -> Tensor {
    network.reconstruct(config.denormalized(latents))
  }
}
