import CArchive

/// The records of a ZIP archive as PyTorch has written it since version 1.6: uncompressed, so that arrays
/// are read where they lie.
struct TorchArchive {
  /// Where each record lies, by its name without the folder that all are in.
  let records: [String: Range<Int>]

  /// Whether bytes are the start of an archive.
  static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x50, 0x4B, 3, 4])
  }

  /// Lists the records with libarchive.
  ///
  /// - Throws: `ByteFault` for a damaged archive, for a compressed record, and for one of another kind.
  init(_ bytes: UnsafeRawBufferPointer) throws(ByteFault) {
    guard let archive = archive_read_new() else { preconditionFailure("out of memory") }
    defer { archive_read_free(archive) }
    func fail(_ reason: String? = nil) -> ByteFault {
      let own = archive_error_string(archive).map { String(cString: $0) }
      return ByteFault(
        reason: "it is an archive of PyTorch's that cannot be read: "
          + (reason ?? own ?? "libarchive gives no reason"))
    }
    archive_read_support_format_zip_seekable(archive)
    // Records are not read as a whole here, which a check of their sums would need.
    archive_read_set_option(archive, "zip", "ignorecrc32", "1")
    guard archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK else {
      throw fail()
    }
    var found: [String: Range<Int>] = [:]
    var entry: OpaquePointer?
    while true {
      let status = archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { break }
      guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else { throw fail() }
      guard archive_entry_filetype(entry) == S_IFREG else { continue }
      let name = archive_entry_pathname(entry).flatMap { String(validatingCString: $0) }
      guard let name, let slash = name.firstIndex(of: "/") else {
        throw fail("a record has no name")
      }
      let record = String(name[name.index(after: slash)...])
      let place = try Self.place(of: archive, Int(archive_entry_size(entry)), in: bytes)
      guard let place else { throw fail("its record \(record) is compressed or truncated") }
      guard found.updateValue(place, forKey: record) == nil else {
        throw fail("its record \(record) is there twice")
      }
    }
    records = found
  }

  /// Where the content of the entry that the archive is at lies in its bytes; nil where it does not lie there
  /// as it is.
  private static func place(
    of archive: OpaquePointer, _ size: Int, in bytes: UnsafeRawBufferPointer
  ) throws(ByteFault) -> Range<Int>? {
    guard size > 0 else { return size == 0 ? 0..<0 : nil }
    var (block, count, offset) = (UnsafeRawPointer?.none, 0, la_int64_t(0))
    guard archive_read_data_block(archive, &block, &count, &offset) == ARCHIVE_OK, let block,
      let base = bytes.baseAddress, offset == 0, count == size
    else { return nil }
    // What is unpacked lies elsewhere.
    let start = base.distance(to: block)
    guard start >= 0, start <= bytes.count - size else { return nil }
    return start..<start + size
  }
}
