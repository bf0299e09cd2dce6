import CZlib
import Files
import Foundation

/// Reads gzip files with zlib.
enum GZip {
  /// The content of a file: of all its members, concatenated (RFC 1952).
  ///
  /// - Parameters:
  ///   - bound: the limit of the content's bytes, from the bytes decompressed so far; nil where
  ///     more bytes are needed to know it. Decompression stops at the limit.
  ///   - piece: the most bytes in one call of zlib.
  /// - Throws: `DatasetError` where the file is missing, truncated, damaged (checksums are
  ///   verified), followed by anything but zeros, or longer than `bound`; `FileError.unreadable`;
  ///   what `bound` throws.
  static func contents(
    of path: String, package: String? = nil, piece: Int = 1 << 20,
    bound: ([UInt8]) throws -> Int?
  ) throws -> [UInt8] {
    // A file that exists and is not readable is not missing.
    if access(path, F_OK) != 0, errno == ENOENT {
      throw DatasetError.missing(path: path, package: package)
    }
    let file = try MappedFile(path)
    return try withExtendedLifetime(file) {
      try Inflation(file.bytes, path: path, piece: piece).contents(bound)
    }
  }
}

/// The decompression of one file.
private struct Inflation {
  private let input: UnsafeRawBufferPointer
  private let path: String
  private let piece: Int
  private var place = 0
  private var output: [UInt8] = []
  private var limit: Int?

  init(_ input: UnsafeRawBufferPointer, path: String, piece: Int) {
    (self.input, self.path, self.piece) = (input, path, piece)
  }

  private func fail(_ reason: String) -> DatasetError { .damagedGZip(path: path, reason: reason) }

  consuming func contents(_ bound: ([UInt8]) throws -> Int?) throws -> [UInt8] {
    var stream = z_stream()
    // 16 asks for the gzip format, 15 is the largest window.
    guard
      inflateInit2_(&stream, 16 + 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw fail("zlib cannot start") }
    defer { inflateEnd(&stream) }
    var chunk = [UInt8](repeating: 0, count: piece)
    repeat {
      guard inflateReset(&stream) == Z_OK else { throw fail("zlib cannot start") }
      try member(&stream, &chunk, bound)
    } while try isFollowed()
    return output
  }

  private mutating func member(
    _ stream: inout z_stream, _ chunk: inout [UInt8], _ bound: ([UInt8]) throws -> Int?
  ) throws {
    var status = Z_OK
    while status == Z_OK {
      // zlib counts in 32 bits, so input is passed in pieces.
      let given = min(piece, input.count - place)
      stream.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress.map { ($0 + place).assumingMemoryBound(to: UInt8.self) })
      stream.avail_in = UInt32(given)
      let made = chunk.withUnsafeMutableBufferPointer { chunk in
        stream.next_out = chunk.baseAddress
        stream.avail_out = UInt32(chunk.count)
        status = inflate(&stream, Z_NO_FLUSH)
        return chunk.count - Int(stream.avail_out)
      }
      place += given - Int(stream.avail_in)
      output += chunk[..<made]
      if limit == nil { limit = try bound(output) }
      if let limit, output.count > limit {
        throw fail("it decompresses to more than the \(limit) bytes that its content should have")
      }
    }
    switch status {
    case Z_STREAM_END: return
    case Z_BUF_ERROR: throw fail("it ends after \(input.count) bytes, too early")
    case Z_NEED_DICT: throw fail("it needs a dictionary, which the format does not have")
    default: throw fail(stream.msg.map { String(cString: $0) } ?? "zlib's error \(status)")
    }
  }

  /// Whether another member follows; trailing zeros that pad the file are allowed.
  private func isFollowed() throws -> Bool {
    let rest = input[place...]
    if rest.starts(with: [0x1F, 0x8B]) { return true }
    guard rest.allSatisfy({ $0 == 0 }) else { throw fail("\(rest.count) bytes follow its end") }
    return false
  }
}
