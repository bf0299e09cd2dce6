import CWebP
import Files

/// The height and width of a picture as it is shown, read from the head of its file without decoding the
/// pixels.
public struct PictureSize: Hashable, Sendable {
  /// The height in pixels.
  public let height: Int
  /// The width in pixels.
  public let width: Int

  /// Makes a size.
  public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }

  /// Reads the size of a PNG, JPEG or WebP file, turned by its EXIF orientation.
  ///
  /// - Parameter path: the name of the file in messages.
  /// - Throws: `PictureError.otherFormat` for other files, `damaged` where the head is truncated or
  ///   damaged; the pixels behind it may be so nevertheless.
  public init(_ bytes: UnsafeRawBufferPointer, path: String) throws(PictureError) {
    let found: (width: Int, height: Int, exif: [UInt8])?
    if FileKind.png.matches(bytes) {
      found = Self.ofPNG(bytes)
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      found = Self.ofJPEG(bytes)
    } else if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) {
      found = Self.ofWebP(bytes)
    } else {
      throw .otherFormat(path: path)
    }
    guard let found, found.width > 0, found.height > 0 else {
      throw .damaged(path: path, reason: "its head does not say how large it is")
    }
    let isTurned = Orientation(exif: found.exif).swapsAxes
    (height, width) = isTurned ? (found.width, found.height) : (found.height, found.width)
  }

  /// Reads the size of a file.
  ///
  /// - Throws: `FileError.unreadable` and `PictureError`.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path)
    self = try withExtendedLifetime(file) { try PictureSize(file.bytes, path: path) }
  }

  /// The number at a place, its most significant byte first; nil beyond the end.
  private static func number(
    _ bytes: UnsafeRawBufferPointer, _ place: Int, _ count: Int
  ) -> Int? {
    guard place >= 0, place + count <= bytes.count else { return nil }
    return bytes[place..<place + count].reduce(0) { $0 << 8 | Int($1) }
  }

  /// The chunk `IHDR`, and the chunk `eXIf`, which may follow the pixels.
  private static func ofPNG(
    _ bytes: UnsafeRawBufferPointer
  ) -> (width: Int, height: Int, exif: [UInt8])? {
    guard let width = number(bytes, 16, 4), let height = number(bytes, 20, 4) else { return nil }
    var place = 8
    while let size = number(bytes, place, 4), place + 12 + size <= bytes.count {
      if bytes[place + 4..<place + 8].elementsEqual("eXIf".utf8) {
        return (width, height, Array(bytes[place + 8..<place + 8 + size]))
      }
      place += 12 + size
    }
    return (width, height, [])
  }

  /// The first frame header, and the first EXIF block before it.
  private static func ofJPEG(
    _ bytes: UnsafeRawBufferPointer
  ) -> (width: Int, height: Int, exif: [UInt8])? {
    let header = Array("Exif".utf8) + [0, 0]
    var place = 2
    var exif: [UInt8] = []
    while let mark = number(bytes, place, 1) {
      // Any number of bytes 0xFF may stand before a marker.
      guard mark == 0xFF, let kind = number(bytes, place + 1, 1) else { return nil }
      if kind == 0xFF {
        place += 1
        continue
      }
      guard let size = number(bytes, place + 2, 2), size >= 2 else { return nil }
      let isFrame = (0xC0...0xCF).contains(kind) && ![0xC4, 0xC8, 0xCC].contains(kind)
      if isFrame {
        guard let height = number(bytes, place + 5, 2), let width = number(bytes, place + 7, 2)
        else { return nil }
        return (width, height, exif)
      }
      let content = place + 4..<min(bytes.count, place + 2 + size)
      if kind == 0xE1, exif.isEmpty, bytes[content].starts(with: header) {
        exif = Array(bytes[content].dropFirst(header.count))
      }
      place += 2 + size
    }
    return nil
  }

  private static func ofWebP(
    _ bytes: UnsafeRawBufferPointer
  ) -> (width: Int, height: Int, exif: [UInt8])? {
    var (width, height) = (Int32(0), Int32(0))
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard WebPGetInfo(start, bytes.count, &width, &height) != 0 else { return nil }
    return (Int(width), Int(height), WebPFile.exif(bytes))
  }
}
