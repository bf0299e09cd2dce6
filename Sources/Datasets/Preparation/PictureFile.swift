import Files
import Pictures

/// The encoded bytes of a picture: a file, a part of one, or in memory.
public struct PictureFile: Sendable {
  /// The name in messages.
  let name: String
  private let source: Source

  private enum Source: Sendable {
    case mapped(MappedFile, Range<Int>)
    case memory([UInt8])
  }

  /// Maps a file.
  ///
  /// - Throws: `FileError.unreadable`.
  init(_ path: String) throws(FileError) {
    let file = try MappedFile(path)
    (name, source) = (path, .mapped(file, 0..<file.bytes.count))
  }

  /// Takes a part of a file.
  init(_ file: MappedFile, _ range: Range<Int>, name: String) {
    (self.name, source) = (name, .mapped(file, range))
  }

  /// Takes bytes.
  init(_ bytes: [UInt8], name: String) { (self.name, source) = (name, .memory(bytes)) }

  /// Calls a function with the bytes.
  func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    switch source {
    case .mapped(let file, let range):
      try withExtendedLifetime(file) {
        try body(UnsafeRawBufferPointer(rebasing: file.bytes[range]))
      }
    case .memory(let bytes): try bytes.withUnsafeBytes(body)
    }
  }

  /// Decodes the picture.
  ///
  /// - Throws: `PictureError`.
  func image(_ transparency: RGBImage.Transparency) throws -> RGBImage {
    try withBytes { try RGBImage($0, path: name, transparency: transparency) }
  }

  /// Reads the size from the head.
  ///
  /// - Throws: `PictureError`.
  func pictureSize() throws -> PictureSize {
    try withBytes { try PictureSize($0, path: name) }
  }

  /// The hash of the bytes.
  var contentHash: String {
    withBytes {
      let hash = ContentHash()
      hash.add($0)
      return hash.text
    }
  }

  /// Adds what tells files apart without reading them whole: the number of bytes, the first and the last
  /// ones.
  func addExcerpt(to hash: ContentHash) {
    let most = 4096
    withBytes { bytes in
      hash.add("\(bytes.count)")
      hash.add(UnsafeRawBufferPointer(rebasing: bytes.prefix(most)))
      hash.add(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(most).suffix(most)))
    }
  }
}
