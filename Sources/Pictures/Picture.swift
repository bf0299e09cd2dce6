import CPNG
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
  public func png(texts: [(key: String, text: String)] = []) -> Data {
    let strings = texts.map { (strdup($0.key), strdup($0.text)) }
    defer {
      for (key, text) in strings {
        free(key)
        free(text)
      }
    }
    let chunks = strings.map { cpng_text(key: $0.0, text: $0.1) }
    var out = cpng_buffer()
    var message = [CChar](repeating: 0, count: 160)
    let status = cpng_encode(
      values, UInt32(width), UInt32(height), Int32(channels), chunks, Int32(chunks.count), &out,
      &message)
    defer { free(out.bytes) }
    precondition(status == 0, "a picture could not be encoded: \(Self.text(message))")
    return Data(bytes: out.bytes, count: out.count)
  }

  /// Writes the picture as a PNG file, atomically.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something other than a
  ///   PNG picture; an existing file is then kept.
  public func write(to path: String, texts: [(key: String, text: String)] = []) throws {
    try StagedFile.write(png(texts: texts), to: path, as: .png)
  }

  /// Reads a PNG file with its text chunks.
  ///
  /// - Throws: `FileError` where it cannot be read, `PictureError` where it is damaged.
  public static func read(_ path: String) throws -> (picture: Picture, texts: [String: String]) {
    let file = try MappedFile(path)
    var (width, height, channels) = (UInt32(0), UInt32(0), Int32(0))
    var (pixels, texts) = (cpng_buffer(), cpng_buffer())
    var message = [CChar](repeating: 0, count: 160)
    let status = withExtendedLifetime(file) {
      cpng_decode(
        file.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), file.bytes.count, &width,
        &height, &channels, &pixels, &texts, &message)
    }
    defer {
      free(pixels.bytes)
      free(texts.bytes)
    }
    guard status == 0 else { throw PictureError.damaged(path: path, reason: text(message)) }
    let values = Array(UnsafeBufferPointer(start: pixels.bytes, count: pixels.count))
    let strings = UnsafeBufferPointer(start: texts.bytes, count: texts.count)
      .split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    var found: [String: String] = [:]
    for i in stride(from: 0, to: strings.count - 1, by: 2) { found[strings[i]] = strings[i + 1] }
    let picture = Picture(
      width: Int(width), height: Int(height), channels: Int(channels), values: values)
    return (picture, found)
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// What can be wrong with a picture.
public enum PictureError: Error, Equatable, CustomStringConvertible {
  /// A file is not a PNG file, or is truncated or damaged.
  case damaged(path: String, reason: String)
  /// A number of channels is not supported.
  case impossibleChannels(Int)
  /// A page is too large.
  case impossiblePage(width: Int, height: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .damaged(let path, let reason):
      "\(path) is truncated or not a PNG picture: \(reason). Make or copy it again."
    case .impossibleChannels(let count):
      "Pixels have \(count) channels; 1 (gray), 3 (RGB) or 4 (RGBA) are expected."
    case .impossiblePage(let width, let height):
      "A page of \(width) × \(height) pixels cannot be drawn: it must have at most \(Canvas.largest) "
        + "pixels in each direction and fit into memory. Draw fewer or smaller pictures."
    }
  }
}
