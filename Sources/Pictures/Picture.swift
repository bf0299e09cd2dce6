import CPNG
import Files
import Foundation

/// A picture of 8-bit values in memory.
public struct Picture: Equatable, Sendable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// 1 for gray, 3 for RGB, 4 for RGBA.
  public let channels: Int
  /// The values, row-major, channels together.
  public let values: [UInt8]

  /// Makes a picture of its values.
  public init(width: Int, height: Int, channels: Int, values: [UInt8]) {
    precondition(
      [1, 3, 4].contains(channels) && values.count == width * height * channels,
      "\(values.count) values make no picture of \(width) × \(height) × \(channels)")
    self.width = width
    self.height = height
    self.channels = channels
    self.values = values
  }

  /// Makes a picture of finite numbers; those beyond ±1 are cut off.
  ///
  /// - Throws: `PictureError.impossibleChannels` where they are not 1, 3 or 4.
  public init(
    width: Int, height: Int, channels: Int, numbers: some Collection<Float>
  ) throws(PictureError) {
    guard [1, 3, 4].contains(channels) else { throw .impossibleChannels(channels) }
    precondition(numbers.allSatisfy { !$0.isNaN }, "a pixel of a picture is no number")
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

  /// Writes the picture as a PNG file, whole or not at all.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else than a PNG
  ///   picture; a file that was there stays.
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
    let parts = UnsafeBufferPointer(start: texts.bytes, count: texts.count)
      .split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    var found: [String: String] = [:]
    for i in stride(from: 0, to: parts.count - 1, by: 2) { found[parts[i]] = parts[i + 1] }
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
  /// A file is no PNG file, or is cut short or damaged.
  case damaged(path: String, reason: String)
  /// Pixels of so many numbers have no color.
  case impossibleChannels(Int)
  /// A page cannot be that large.
  case impossiblePage(width: Int, height: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .damaged(let path, let reason):
      "\(path) is no whole PNG picture: \(reason). Make or copy it again."
    case .impossibleChannels(let count):
      "Pixels of \(count) numbers make no picture: 1 (gray), 3 (RGB) or 4 (RGBA) are expected."
    case .impossiblePage(let width, let height):
      "A page of \(width) × \(height) pixels cannot be drawn: at most \(Canvas.largest) across and "
        + "down, and the memory, are there. Draw fewer or smaller pictures."
    }
  }
}
