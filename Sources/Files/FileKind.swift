import Foundation

/// The kind of a file, as far as its bytes tell.
public enum FileKind: String, CaseIterable, Sendable {
  /// A PNG picture.
  case png
  /// A safetensors file.
  case safetensors
  /// One JSON object or array.
  case json
  /// A JSON object on each line.
  case jsonLines
  /// A compiled program in a cache.
  case program
  /// Text in UTF-8, such as Markdown.
  case text
  /// An HTML page.
  case html
  /// Arrays of NumPy in a zip archive.
  case npz

  /// The kind in words.
  public var name: String {
    switch self {
    case .png: "a PNG picture"
    case .safetensors: "a safetensors file"
    case .json: "JSON"
    case .jsonLines: "lines of JSON"
    case .program: "a compiled program"
    case .text: "text"
    case .html: "an HTML page"
    case .npz: "an archive of NumPy's arrays"
    }
  }

  /// Checks that a file may be replaced by one of this kind: it is missing, empty or of this kind.
  ///
  /// - Throws: `FileError.otherKind`, and `unwritable` where it is not a regular file or cannot be
  ///   read.
  public func checkReplaceable(_ path: String) throws(FileError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
    // A rename would replace a device such as /dev/null.
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .unwritable(path: path, reason: "it is not a regular file")
    }
    guard status.st_size > 0 else { return }
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch .unreadable(_, let reason) {
      throw .unwritable(path: path, reason: "its content cannot be read: \(reason)")
    } catch {
      throw error
    }
    try withExtendedLifetime(file) { () throws(FileError) in
      guard file.bytes.isEmpty || matches(file.bytes) else {
        let found = Self.allCases.first { $0.matches(file.bytes) }?.name ?? "other data"
        throw .otherKind(path: path, found: found, expected: name)
      }
    }
  }

  /// Whether bytes look like a file of this kind.
  public func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .png: bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    case .safetensors: Self.beginsAsSafeTensors(bytes)
    case .json: Self.isJSON(bytes)
    case .jsonLines: Self.beginsAsJSONLines(bytes)
    case .program: bytes.starts(with: Self.programMagic)
    case .text: Self.isText(bytes)
    case .html: bytes.starts(with: "<!doctype html>".utf8) && Self.isText(bytes)
    case .npz:
      // The name of the first array is in its header.
      bytes.starts(with: [0x50, 0x4B, 0x03, 0x04])
        && String(decoding: bytes.prefix(256), as: UTF8.self).contains(".npy")
    }
  }

  /// Checks the header's length, at most 100 MiB, and its first byte.
  private static func beginsAsSafeTensors(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 8 && bytes[8] == UInt8(ascii: "{")
      && UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) <= 100 << 20
  }

  private static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let first = bytes.first { !blanks.contains($0) }
    guard let start = bytes.baseAddress, first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    else { return false }
    let data = Data(
      bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none)
    return (try? JSONSerialization.jsonObject(with: data)) != nil
  }

  /// Checks that a line looks like an object. It need not be valid: logs may contain `nan`, and the
  /// last line of a killed process is truncated.
  private static func beginsAsJSONLines(_ bytes: UnsafeRawBufferPointer) -> Bool {
    func isObject(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
      line.first == UInt8(ascii: "{") && isText(UnsafeRawBufferPointer(rebasing: line))
        && line.last { !blanks.contains($0) } == UInt8(ascii: "}")
    }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    if lines.count == 1, lines[0].count == bytes.count, lines[0].first == UInt8(ascii: "{") {
      return isText(bytes)
    }
    return lines.contains(where: isObject)
  }

  private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
  }

  /// The magic bytes of a compiled program.
  public static let programMagic = Array("XLA program 1\n".utf8)

  private static let blanks = Set(" \t\r\n".utf8)
}
