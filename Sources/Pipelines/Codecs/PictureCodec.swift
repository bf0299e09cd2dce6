import Models
import Runtime
import Tensors

/// What turns pictures into what a pipeline's transformer works on, and back: an autoencoder with its
/// weights, or nothing for a transformer of pixels.
package enum PictureCodec: Sendable {
  /// An autoencoder.
  case autoencoder(Autoencoder)
  /// The pixels themselves.
  case pixels(Pixels)

  /// The autoencoder, nil for pixels.
  package var autoencoder: Autoencoder? {
    if case .autoencoder(let autoencoder) = self { autoencoder } else { nil }
  }

  /// The weights, nil for pixels.
  package var component: Component? { autoencoder?.component }

  /// The number of pixels on a side that become one latent.
  package var reduction: Int { autoencoder?.config.reduction ?? 1 }

  /// The channels of what the transformer works on.
  package var channels: Int {
    switch self {
    case .autoencoder(let autoencoder): autoencoder.config.latentChannels
    case .pixels(let pixels): pixels.channels
    }
  }

  /// The latents of images, see `Autoencoder.encode`; pixels are those of the images.
  package func encode(
    _ images: ShardedArray, tile use: TileUse = .whenNeeded
  ) throws -> ShardedArray {
    try autoencoder?.encode(images, tile: use) ?? images
  }

  /// The images of latents, see `Autoencoder.decode`; pixels are those of the images.
  package func decode(
    _ latents: ShardedArray, tile use: TileUse = .whenNeeded
  ) throws -> ShardedArray {
    try autoencoder?.decode(latents, tile: use) ?? latents
  }

  /// Releases the weights.
  package func release() { autoencoder?.release() }
}
