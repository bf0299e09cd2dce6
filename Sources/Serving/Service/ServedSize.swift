import Models
import Pictures
import Pipelines

/// The size that a picture is made in, and the one that it has in the end.
///
/// Models of one size make their own, and pictures are enlarged or reduced. Others make a multiple of 64
/// pixels, so that few programs are compiled, of which the centre is kept.
struct ServedSize: Sendable {
  /// The size that the model makes.
  let made: ImageSize
  /// The size in the end.
  let wanted: ImageSize
  private let isResized: Bool

  private static let multiple = 64

  /// Decides the sizes.
  ///
  /// - Parameters:
  ///   - wanted: the size that was asked for, nil for the model's own.
  ///   - images: the images that are edited.
  init(_ wanted: ImageSize?, _ pipeline: ImagePipeline, like images: [RGBImage]) {
    let references = pipeline.kind.references == nil ? [] : images
    let own = pipeline.standardSize(editing: references)
    isResized = pipeline.kind.sizeFollowsNetwork
    self.wanted = wanted ?? own
    guard let wanted, !isResized else {
      made = own
      return
    }
    var multiple = pipeline.sizeMultiple
    while multiple < Self.multiple { multiple *= 2 }
    let rounded = { (side: Int) in (side + multiple - 1) / multiple * multiple }
    made = ImageSize(height: rounded(wanted.height), width: rounded(wanted.width))
  }

  /// A picture in its final size.
  func finished(_ picture: RGBImage) -> RGBImage {
    if picture.width == wanted.width, picture.height == wanted.height { return picture }
    guard isResized else {
      return picture.cropped(
        x: (picture.width - wanted.width) / 2, y: (picture.height - wanted.height) / 2,
        width: wanted.width, height: wanted.height)
    }
    // The whole picture on a ground of the color of its border.
    let scale = min(
      Double(wanted.width) / Double(picture.width), Double(wanted.height) / Double(picture.height))
    let (width, height) = (
      max(1, Int((Double(picture.width) * scale).rounded())),
      max(1, Int((Double(picture.height) * scale).rounded()))
    )
    let resized = picture.resized(width: width, height: height, filter: .lanczos)
    if width == wanted.width, height == wanted.height { return resized }
    return resized.centered(
      width: wanted.width, height: wanted.height, ground: picture.borderColor)
  }
}

extension RGBImage {
  /// The mean color of the outermost pixels.
  fileprivate var borderColor: [UInt8] {
    var (sums, count) = ([0, 0, 0], 0)
    for row in 0..<height {
      for column in 0..<width
      where row == 0 || column == 0 || row == height - 1 || column == width - 1 {
        for channel in 0..<3 { sums[channel] += Int(values[3 * (row * width + column) + channel]) }
        count += 1
      }
    }
    return sums.map { UInt8($0 / count) }
  }

  /// The image in the middle of a larger one of one color.
  fileprivate func centered(width: Int, height: Int, ground: [UInt8]) -> RGBImage {
    var values = [UInt8]()
    values.reserveCapacity(3 * width * height)
    for _ in 0..<width * height { values += ground }
    let (left, top) = ((width - self.width) / 2, (height - self.height) / 2)
    for row in 0..<self.height {
      let from = 3 * row * self.width
      let to = 3 * ((top + row) * width + left)
      values.replaceSubrange(
        to..<to + 3 * self.width, with: self.values[from..<from + 3 * self.width])
    }
    return RGBImage(width: width, height: height, values: values)
  }
}
