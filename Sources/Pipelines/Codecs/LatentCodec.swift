import Models
import Tensors

/// A codec between images and the latents that a network works on.
///
/// Images are `[batch, height, width, channels]` within ±1.
public protocol LatentCodec {
  /// The shape of one image's latent.
  func latent(of size: ImageSize) -> Shape

  /// The latents of images; for codecs that sample latents, those of the highest probability.
  func encode(_ images: Tensor) -> Tensor

  /// The latents of images, sampled.
  ///
  /// - Parameter key: the source of noise for codecs that sample latents.
  func encode(_ images: Tensor, key: Key) -> Tensor

  /// The images of latents.
  func decode(_ latents: Tensor) -> Tensor
}

extension ModelConfig {
  /// The codec from the network's samples to images; nil where the samples are not images, or are
  /// latents, whose codec is another network.
  public var codec: (any LatentCodec)? {
    let shape = sampleShape()
    return !worksOnLatents && shape.rank == 3 && [1, 3, 4].contains(shape[2])
      ? Pixels(channels: shape[2]) : nil
  }
}
