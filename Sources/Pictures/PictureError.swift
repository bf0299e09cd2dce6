/// What can be wrong with a picture.
public enum PictureError: Error, Equatable, CustomStringConvertible {
  /// A file is not a picture of its format, or is truncated or damaged.
  case damaged(path: String, reason: String)
  /// A file is of none of the formats that are read.
  case otherFormat(path: String)
  /// A picture has too many pixels to decode it.
  case tooLarge(path: String, width: Int, height: Int)
  /// A picture has more pixels than the caller allows.
  case tooManyPixels(path: String, width: Int, height: Int, limit: Int)
  /// A format cannot hold a picture.
  case unencodable(format: String, width: Int, height: Int, reason: String)
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
    case .tooManyPixels(let path, let width, let height, let limit):
      "\(path) has \(width) × \(height) pixels, which are more than the limit of \(limit) pixels. "
        + "Make it smaller."
    case .unencodable(let format, let width, let height, let reason):
      "A picture of \(width) × \(height) pixels cannot be written as \(format): \(reason). "
        + "Choose another format or size."
    case .impossibleChannels(let count):
      "Pixels have \(count) channels; 1 (gray), 3 (RGB) or 4 (RGBA) are expected."
    case .impossiblePage(let width, let height):
      "A page of \(width) × \(height) pixels cannot be drawn: it must have at most \(Canvas.largest) "
        + "pixels in each direction and fit into memory. Draw fewer or smaller pictures."
    }
  }

  /// The error for a picture that has more pixels than allowed, or takes more than `RGBImage.largest`.
  static func beyondLimits(path: String, width: Int, height: Int, mostPixels: Int) -> PictureError {
    width * height > mostPixels
      ? .tooManyPixels(path: path, width: width, height: height, limit: mostPixels)
      : .tooLarge(path: path, width: width, height: height)
  }
}
