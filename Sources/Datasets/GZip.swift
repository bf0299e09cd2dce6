import CZlib
import Files
import Foundation

/// Reads gzip files by zlib.
enum GZip {
  /// The content of a file.
  ///
  /// - Throws: `DatasetError` where the file is missing, cut short, damaged (its checksum is
  ///   tested) or followed by something else; `FileError.unreadable`.
  static func contents(of path: String, package: String? = nil) throws -> [UInt8] {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DatasetError.missing(path: path, package: package)
    }
    let file = try MappedFile(path)
    do {
      return try inflate(withExtendedLifetime(file) { Array($0.bytes) })
    } catch {
      throw DatasetError.damagedGZip(path: path, reason: error.reason)
    }
  }

  private struct Fault: Error { let reason: String }

  private static func inflate(_ compressed: [UInt8]) throws(Fault) -> [UInt8] {
    var stream = z_stream()
    // 16 asks for the gzip format, 15 is the largest window.
    guard
      inflateInit2_(&stream, 16 + 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw Fault(reason: "zlib cannot start") }
    defer { inflateEnd(&stream) }
    var input = compressed
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    var status = Z_OK
    input.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      while status == Z_OK {
        let made = chunk.withUnsafeMutableBufferPointer { chunk in
          stream.next_out = chunk.baseAddress
          stream.avail_out = UInt32(chunk.count)
          status = CZlib.inflate(&stream, Z_NO_FLUSH)
          return chunk.count - Int(stream.avail_out)
        }
        output += chunk[..<made]
      }
    }
    switch status {
    case Z_STREAM_END:
      guard stream.avail_in == 0 else {
        throw Fault(reason: "\(stream.avail_in) bytes follow its end")
      }
      return output
    case Z_BUF_ERROR: throw Fault(reason: "it ends after \(compressed.count) bytes, too early")
    default: throw Fault(reason: stream.msg.map { String(cString: $0) } ?? "zlib's error \(status)")
    }
  }
}
