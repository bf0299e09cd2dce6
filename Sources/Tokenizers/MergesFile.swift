import Files

/// The lines of a text file.
struct MergesFile {
  let lines: [ArraySlice<UInt8>]

  /// - Throws: `FileError.unreadable`.
  init(_ path: String) throws(FileError) {
    let file = try MappedFile(path)
    let bytes = withExtendedLifetime(file) { [UInt8](file.bytes) }
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    self.lines = lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
  }
}
