/// What can be wrong with a picture.
public enum PictureError: Error, Equatable, CustomStringConvertible {
  /// A file is not a picture of its format, or is truncated or damaged.
  case damaged(path: String, reason: String)
  /// A file is of none of the formats that are read.
  case otherFormat(path: String)
  /// A picture has too many pixels to decode it.
  case tooLarge(path: String, width: Int, height: Int)
  /// A number of channels is not supported.
  case impossibleChannels(Int)
  /// A page is too large.
  case impossiblePage(width: Int, height: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .damaged(let path, let reason):
      "\(path) is truncated, damaged or not a picture: \(reason). Make or copy it again."
    case .otherFormat(let path):
      "\(path) is not a PNG, JPEG or WebP picture. Convert it to one of these formats."
    case .tooLarge(let path, let width, let height):
      "\(path) has \(width) × \(height) pixels, which take more than the limit of "
        + "\(RGBImage.largest >> 20) MiB. Make it smaller."
    case .impossibleChannels(let count):
      "Pixels have \(count) channels; 1 (gray), 3 (RGB) or 4 (RGBA) are expected."
    case .impossiblePage(let width, let height):
      "A page of \(width) × \(height) pixels cannot be drawn: it must have at most \(Canvas.largest) "
        + "pixels in each direction and fit into memory. Draw fewer or smaller pictures."
    }
  }
}
