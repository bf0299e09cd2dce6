import Foundation
import Models

extension ImageSize {
  /// The size with about an area and about the aspect ratio of an image, as Qwen-Image-Edit chooses those
  /// of reference images and results: its `calculate_dimensions`.
  ///
  /// - Parameters:
  ///   - area: the number of pixels; Qwen-Image-Edit takes 1024² for the autoencoder.
  ///   - image: the size with the aspect ratio.
  ///   - multiple: what the sides are rounded to multiples of, halves to even ones.
  public init(area: Int, like image: ImageSize, multiple: Int = 32) {
    let ratio = Double(image.width) / Double(image.height)
    let width = (Double(area) * ratio).squareRoot()
    func rounded(_ side: Double) -> Int {
      Int((side / Double(multiple)).rounded(.toNearestOrEven)) * multiple
    }
    self.init(height: rounded(width / ratio), width: rounded(width))
  }
}
