import CArchive
import Files
import Foundation

/// The regular files in a tar file, whose contents are read without reading what is before them.
struct TarFile: Sendable {
  /// One file in it.
  struct Entry: Sendable {
    /// The path in the tar file.
    let name: String
    /// Where the content is.
    let place: Range<Int>
  }

  /// The tar file.
  let path: String
  private let store: Store

  private enum Store {
    /// The content lies in the tar file as it is.
    case mapped(MappedFile)
    /// The tar file is compressed, and the content unpacked.
    case unpacked(ScratchFile)
  }

  /// Lists a tar file with libarchive, and checks its headers; a compressed one is unpacked.
  ///
  /// - Parameter visit: called with each regular file.
  /// - Throws: `DatasetError.damagedTar`, `FileError` and what `visit` throws.
  init(_ path: String, visit: (Entry) throws -> Void) throws {
    self.path = path
    let file = try MappedFile(path)
    guard let archive = archive_read_new() else { preconditionFailure("out of memory") }
    defer { archive_read_free(archive) }
    func fail(_ reason: String? = nil) -> DatasetError {
      let own = archive_error_string(archive).map { String(cString: $0) }
      return .damagedTar(path: path, reason: reason ?? own ?? "libarchive gives no reason")
    }
    archive_read_support_format_tar(archive)
    archive_read_support_filter_all(archive)
    guard archive_read_open_filename(archive, path, 1 << 16) == ARCHIVE_OK else { throw fail() }
    var (scratch, isFirst) = (ScratchFile?.none, true)
    var entry: OpaquePointer?
    while true {
      let status = archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { break }
      guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else { throw fail() }
      if isFirst, archive_filter_code(archive, 0) != ARCHIVE_FILTER_NONE {
        scratch = try ScratchFile(in: NSTemporaryDirectory())
      }
      isFirst = false
      guard archive_entry_filetype(entry) == S_IFREG else { continue }
      // In a locale other than UTF-8 libarchive warns, and gives the bytes as they are.
      let bytes = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry)
      guard let name = bytes.flatMap({ String(validatingCString: $0) }) else {
        throw fail("a name is not UTF-8")
      }
      let size = Int(archive_entry_size(entry))
      let place: Range<Int>
      if let scratch {
        place = try scratch.append(try Self.content(archive, size, fail))
      } else {
        guard archive_entry_sparse_count(entry) == 0 else { throw fail("\(name) is sparse") }
        let start = Self.content(file.bytes, header: Int(archive_read_header_position(archive)))
        guard let start, size <= file.bytes.count - start else {
          throw fail("it ends within \(name)")
        }
        place = start..<start + size
      }
      try visit(Entry(name: name, place: place))
    }
    store = scratch.map(Store.unpacked) ?? .mapped(file)
  }

  /// The content of the file that the archive is at.
  private static func content(
    _ archive: OpaquePointer, _ size: Int, _ fail: (String?) -> DatasetError
  ) throws -> [UInt8] {
    guard size <= 1 << 30 else { throw fail("one of its files has \(size) bytes") }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = bytes.withUnsafeMutableBytes { archive_read_data(archive, $0.baseAddress, size) }
    guard count == size else { throw fail(count < 0 ? nil : "it is truncated") }
    return bytes
  }

  /// Where the content begins behind a header, before which there may be further ones with long names and
  /// attributes.
  private static func content(_ bytes: UnsafeRawBufferPointer, header: Int) -> Int? {
    var place = header
    while place >= 0, place + 512 <= bytes.count {
      guard "xgLK".utf8.contains(bytes[place + 156]) else { return place + 512 }
      let digits = bytes[place + 124..<place + 136].prefix { $0 != 0 && $0 != 0x20 }
      guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 8) else { return nil }
      place += 512 + (size + 511) / 512 * 512
    }
    return nil
  }

  /// The content of a file.
  ///
  /// - Throws: `FileError.unreadable`.
  func content(_ place: Range<Int>, name: String) throws -> PictureFile {
    switch store {
    case .mapped(let file): PictureFile(file, place, name: name)
    case .unpacked(let scratch): PictureFile(try scratch.bytes(place), name: name)
    }
  }
}
