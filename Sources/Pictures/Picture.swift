import Files
import Foundation

/// A picture of 8-bit values in memory.
public struct Picture: Equatable, Sendable {
  /// The width in pixels.
  public let width: Int
  /// The height in pixels.
  public let height: Int
  /// 1 for gray, 3 for RGB, 4 for RGBA.
  public let channels: Int
  /// The values, row-major, with interleaved channels.
  public let values: [UInt8]

  /// Makes a picture from 8-bit values.
  public init(width: Int, height: Int, channels: Int, values: [UInt8]) {
    precondition(
      [1, 3, 4].contains(channels) && values.count == width * height * channels,
      "\(values.count) values do not match a picture of \(width) × \(height) × \(channels)")
    self.width = width
    self.height = height
    self.channels = channels
    self.values = values
  }

  /// Makes a picture from numbers within ±1; others are clamped.
  ///
  /// - Throws: `PictureError.impossibleChannels` for other numbers of channels than 1, 3 and 4.
  public init(
    width: Int, height: Int, channels: Int, numbers: some Collection<Float>
  ) throws(PictureError) {
    guard [1, 3, 4].contains(channels) else { throw .impossibleChannels(channels) }
    precondition(numbers.allSatisfy { !$0.isNaN }, "a pixel of a picture is NaN")
    let values = numbers.map { UInt8(((min(1, max(-1, $0)) + 1) * 127.5).rounded()) }
    self.init(width: width, height: height, channels: channels, values: values)
  }

  /// The picture as a PNG file with text chunks, in the order given.
  ///
  /// - Parameter texts: keywords of 1 to 79 Latin-1 characters with their texts.
  public func png(texts: [(key: String, text: String)] = []) -> Data {
    PNGFile.encode(self, texts: texts)
  }

  /// The picture as a baseline JPEG file with color at half the resolution (4:2:0), without EXIF and
  /// comments; transparent pixels lie over white.
  ///
  /// - Parameter quality: 0 to 100 as in libjpeg; 0 is the same as 1.
  /// - Throws: `PictureError.unencodable` beyond 65,500 pixels in a direction.
  public func jpeg(quality: Int) throws(PictureError) -> Data {
    precondition((0...100).contains(quality), "the quality \(quality) is not within 0 to 100")
    return try JPEGFile.encode(self, quality: quality)
  }

  /// The picture as a WebP file with lossy compression; opacity is kept without loss.
  ///
  /// - Parameter quality: 0 to 100 as in libwebp.
  /// - Throws: `PictureError.unencodable` beyond 16,383 pixels in a direction.
  public func webp(quality: Int) throws(PictureError) -> Data {
    precondition((0...100).contains(quality), "the quality \(quality) is not within 0 to 100")
    return try WebPFile.encode(self, quality: quality)
  }

  /// Writes the picture as a PNG file, atomically.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something other than a
  ///   PNG picture; an existing file is then kept.
  public func write(to path: String, texts: [(key: String, text: String)] = []) throws {
    try StagedFile.write(png(texts: texts), to: path, as: .png)
  }

  /// Reads a PNG file with its text chunks; of chunks with the same keyword the last one counts.
  ///
  /// - Throws: `FileError` where it cannot be read, `PictureError` where it is damaged.
  public static func read(_ path: String) throws -> (picture: Picture, texts: [String: String]) {
    let file = try PNGFile(path)
    return (file.picture, Dictionary(file.texts.map { ($0.key, $0.text) }) { $1 })
  }
}
