import Files

/// An image of 8-bit RGB pixels, as networks take them.
public struct RGBImage: Hashable, Sendable {
  /// The width in pixels.
  public let width: Int
  /// The height in pixels.
  public let height: Int
  /// The values, row-major, red, green and blue in turn.
  public let values: [UInt8]

  /// The largest size of a decoded file in bytes.
  public static let largest = 1 << 30

  /// What becomes of transparent pixels.
  public enum Transparency: Hashable, Sendable {
    /// They lie over a ground of one color.
    case over(red: UInt8, green: UInt8, blue: UInt8)
    /// They have their color whatever their opacity, as with PIL's `convert("RGB")`.
    case ignored

    /// They lie over white.
    public static let overWhite = Transparency.over(red: 255, green: 255, blue: 255)
  }

  /// Makes an image from its values.
  public init(width: Int, height: Int, values: [UInt8]) {
    precondition(
      width > 0 && height > 0 && values.count == width * height * 3,
      "\(values.count) values do not match an image of \(width) × \(height)")
    (self.width, self.height, self.values) = (width, height, values)
  }

  /// Makes an image from a gray, RGB or RGBA picture.
  public init(_ picture: Picture, transparency: Transparency = .overWhite) {
    let values: [UInt8] =
      switch picture.channels {
      case 1: picture.values.flatMap { [$0, $0, $0] }
      case 3: picture.values
      default: Self.opaque(picture, transparency)
      }
    self.init(width: picture.width, height: picture.height, values: values)
  }

  /// The colors of an RGBA picture.
  private static func opaque(_ picture: Picture, _ transparency: Transparency) -> [UInt8] {
    guard case .over(let red, let green, let blue) = transparency else {
      return stride(from: 0, to: picture.values.count, by: 4).flatMap {
        picture.values[$0..<$0 + 3]
      }
    }
    let ground = [Int(red), Int(green), Int(blue)]
    var values: [UInt8] = []
    values.reserveCapacity(picture.width * picture.height * 3)
    for pixel in stride(from: 0, to: picture.values.count, by: 4) {
      let opacity = Int(picture.values[pixel + 3])
      for channel in 0..<3 {
        let sum = Int(picture.values[pixel + channel]) * opacity + ground[channel] * (255 - opacity)
        values.append(UInt8((sum + 127) / 255))
      }
    }
    return values
  }

  /// Reads a PNG, JPEG or WebP file, upright by its EXIF orientation.
  ///
  /// 16-bit values lose their lower half; color profiles are ignored.
  ///
  /// - Throws: `FileError.unreadable`; `PictureError.otherFormat` for other files, `damaged` for
  ///   truncated and damaged ones and for animations, `tooLarge` beyond `largest`.
  public init(contentsOf path: String, transparency: Transparency = .overWhite) throws {
    let file = try MappedFile(path)
    self = try withExtendedLifetime(file) {
      try RGBImage(file.bytes, path: path, transparency: transparency)
    }
  }

  /// Decodes the bytes of a PNG, JPEG or WebP file, see above.
  ///
  /// - Parameters:
  ///   - path: the name of the file in messages.
  ///   - mostPixels: the limit of pixels, for files that are not trusted. It is checked by the file's
  ///     head, before anything of their size is allocated.
  /// - Throws: `PictureError`; `tooManyPixels` beyond the limit.
  public init(
    _ bytes: UnsafeRawBufferPointer, path: String, transparency: Transparency = .overWhite,
    mostPixels: Int = .max
  ) throws(PictureError) {
    let stored: (image: RGBImage, exif: [UInt8])
    if FileKind.png.matches(bytes) {
      let file = try PNGFile(bytes, path: path, keepsTexts: false, mostPixels: mostPixels)
      stored = (RGBImage(file.picture, transparency: transparency), file.exif)
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      let file = try JPEGFile(bytes, path: path, mostPixels: mostPixels)
      stored = (file.image, file.exif)
    } else if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) {
      let file = try WebPFile(bytes, path: path, mostPixels: mostPixels)
      stored = (RGBImage(file.picture, transparency: transparency), file.exif)
    } else {
      throw .otherFormat(path: path)
    }
    self = stored.image.turned(Orientation(exif: stored.exif))
  }

  /// The image as it is shown.
  func turned(_ orientation: Orientation) -> RGBImage {
    guard orientation != .upright else { return self }
    let (columns, rows) = orientation.swapsAxes ? (height, width) : (width, height)
    var turned: [UInt8] = []
    turned.reserveCapacity(values.count)
    for y in 0..<rows {
      for x in 0..<columns {
        let source = orientation.source(x: x, y: y, width: width, height: height)
        let pixel = (source.y * width + source.x) * 3
        turned += values[pixel..<pixel + 3]
      }
    }
    return RGBImage(width: columns, height: rows, values: turned)
  }

  /// The image as a picture that can be written and drawn.
  public var picture: Picture {
    Picture(width: width, height: height, channels: 3, values: values)
  }
}
