import CArchive
import Files
import Foundation

/// A file `.npz` of NumPy's arrays, which are written as they come, without compression. It takes its place
/// when all are there.
public final class NumPyArchive {
  /// The element type of an array.
  public enum Element: String, Sendable {
    /// Bytes.
    case uint8 = "|u1"
    /// Integers of 64 bits.
    case int64 = "<i8"

    fileprivate var byteCount: Int { self == .uint8 ? 1 : 8 }
  }

  private let path: String
  private let sink: Sink
  private let archive: OpaquePointer

  /// Opens the file.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else.
  public init(_ path: String) throws(FileError) {
    self.path = path
    sink = Sink(try StagedFile(path, as: .npz))
    archive = archive_write_new()
    archive_write_set_format_zip(archive)
    archive_write_zip_set_compression_store(archive)
    // The file ends with the archive.
    archive_write_set_bytes_in_last_block(archive, 1)
    let status = archive_write_open2(
      archive, Unmanaged.passUnretained(sink).toOpaque(), nil,
      { _, context, bytes, count in
        Unmanaged<Sink>.fromOpaque(context!).takeUnretainedValue()
          .write(UnsafeRawBufferPointer(start: bytes, count: count))
      }, nil, nil)
    try check(status)
  }

  deinit { archive_write_free(archive) }

  /// Writes an array.
  ///
  /// - Parameters:
  ///   - name: its name, `arr_0` for the first where a program expects none.
  ///   - body: calls its argument with the elements, in their order.
  /// - Throws: `FileError.unwritable`, and what `body` throws.
  public func write(
    _ name: String, _ element: Element, shape: [Int],
    _ body: (_ elements: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    let header = Self.header(element, shape)
    let size = shape.reduce(element.byteCount, *)
    let entry = archive_entry_new()
    defer { archive_entry_free(entry) }
    archive_entry_set_pathname(entry, name + ".npy")
    archive_entry_set_filetype(entry, mode_t(0o100000))
    archive_entry_set_perm(entry, 0o644)
    archive_entry_set_size(entry, Int64(header.count + size))
    try check(archive_write_header(archive, entry))
    var written = 0
    func add(_ bytes: UnsafeRawBufferPointer) throws {
      let count = archive_write_data(archive, bytes.baseAddress, bytes.count)
      try check(count == bytes.count ? ARCHIVE_OK : ARCHIVE_FATAL)
      written += bytes.count
    }
    try header.withUnsafeBytes(add)
    try body(add)
    precondition(
      written == header.count + size, "\(name) has \(written - header.count) bytes and not \(size)")
    try check(archive_write_finish_entry(archive))
  }

  /// Ends the file, which is then at its path.
  ///
  /// - Throws: `FileError.unwritable`.
  public func finish() throws(FileError) {
    try check(archive_write_close(archive))
    try sink.file.finish()
    try sink.file.commit()
  }

  /// The head of an array, version 1.0 of NumPy's format: a magic number, and its type as a Python literal,
  /// padded to a multiple of 64 bytes.
  private static func header(_ element: Element, _ shape: [Int]) -> [UInt8] {
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = Array(
      "{'descr': '\(element.rawValue)', 'fortran_order': False, 'shape': (\(sizes)), }".utf8)
    let magic: [UInt8] = [0x93] + "NUMPY".utf8 + [1, 0]
    let length = magic.count + 2 + text.count + 1
    text += repeatElement(UInt8(ascii: " "), count: (64 - length % 64) % 64)
    text.append(UInt8(ascii: "\n"))
    return magic + [UInt8(text.count & 0xFF), UInt8(text.count >> 8)] + text
  }

  private func check(_ status: Int32) throws(FileError) {
    if let error = sink.error { throw error }
    guard status == ARCHIVE_OK else {
      let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
      throw .unwritable(path: path, reason: reason)
    }
  }

  /// Where libarchive's bytes go.
  private final class Sink {
    let file: StagedFile
    private(set) var error: FileError?

    init(_ file: StagedFile) { self.file = file }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
      do {
        try file.write(bytes)
        return bytes.count
      } catch {
        self.error = error
        return -1
      }
    }
  }
}
