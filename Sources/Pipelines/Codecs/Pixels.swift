import Models
import Tensors

/// The codec of networks that work on pixels; latents are the images themselves.
public struct Pixels: LatentCodec, Sendable {
  /// The number of channels of the images.
  public let channels: Int

  /// Makes the codec.
  public init(channels: Int) { self.channels = channels }

  /// The shape of the image.
  public func latent(of size: ImageSize) -> Shape { [size.height, size.width, channels] }

  /// The values within ±1 of pixels of 8 bits.
  package static func values(of pixels: UnsafeRawBufferPointer) -> [Float] {
    [Float](unsafeUninitializedCapacity: pixels.count) { values, count in
      for index in 0..<pixels.count { values[index] = Float(pixels[index]) / 127.5 - 1 }
      count = pixels.count
    }
  }

  /// The images, unchanged.
  public func encode(_ images: Tensor) -> Tensor { images }

  /// The images, unchanged.
  public func encode(_ images: Tensor, key: Key) -> Tensor { images }

  /// The latents, unchanged.
  public func decode(_ latents: Tensor) -> Tensor { latents }
}
