import Pictures
import Tensors

/// Masks as they weigh the latents of pictures.
enum LatentMask {
  /// How white a mask is over each latent, from 0 to 1, row-major: the mean of the pixels that become it.
  ///
  /// - Parameter reduction: the number of pixels on a side that become one latent.
  static func values(_ mask: RGBImage, reduction: Int) -> [Float] {
    let (height, width) = (mask.height / reduction, mask.width / reduction)
    var sums = [Int](repeating: 0, count: height * width)
    mask.values.withUnsafeBufferPointer { values in
      for y in 0..<height * reduction {
        for x in 0..<width * reduction {
          let pixel = (y * mask.width + x) * 3
          sums[y / reduction * width + x / reduction] +=
            Int(values[pixel]) + Int(values[pixel + 1]) + Int(values[pixel + 2])
        }
      }
    }
    let most = Float(reduction * reduction * 3 * 255)
    return sums.map { Float($0) / most }
  }

  /// The weight of a latent, which is exactly 1 where the mask is white.
  ///
  /// - Parameter floor: the weight where it is black.
  static func weight(_ value: Float, floor: Double) -> Float { 1 - Float(1 - floor) * (1 - value) }
}
