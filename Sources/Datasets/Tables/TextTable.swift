import Files
import Foundation

/// A table in a text file, whose rows are read one by one: a line of JSON, or a record of CSV, each.
///
/// Of each row only its place in the file is kept.
package struct TextTable: Sendable {
  /// The file.
  package let path: String
  /// The file's bytes.
  let file: MappedFile
  private let form: Form
  /// Where each row begins, and where the last one ends.
  private let starts: [Int]

  private enum Form {
    case jsonLines
    /// The names of the columns, in their order.
    case separated(by: UInt8, columns: [String])
  }

  /// Finds the rows of a file: JSON lines, CSV, or where its ending is `.tsv` columns between tabs.
  ///
  /// - Throws: `DatasetError` where it is none of these, `FileError.unreadable`.
  package init(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DatasetError.missing(path: path, package: nil)
    }
    self.path = path
    file = try MappedFile(path)
    let bytes = file.bytes
    // A mark of the byte order is no part of the first row.
    let first = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    switch (path as NSString).pathExtension.lowercased() {
    case "jsonl", "ndjson", "json":
      form = .jsonLines
      starts = Self.starts(bytes, from: first, quoted: false)
    case "csv", "tsv":
      let all = Self.starts(bytes, from: first, quoted: true)
      let separator = UInt8(ascii: path.lowercased().hasSuffix("tsv") ? "\t" : ",")
      guard all.count > 2 else {
        throw DatasetError.noSamples(path: path, expected: "row below the names of its columns")
      }
      let columns: [String]
      do {
        columns = try SeparatedRow.fields(bytes[all[0]..<all[1]], by: separator)
      } catch {
        throw DatasetError.damagedRow(path: path, line: 1, reason: error.reason)
      }
      form = .separated(by: separator, columns: columns)
      starts = Array(all.dropFirst())
    case let other:
      throw DatasetError.inconsistent(
        path: path, reason: "its name ends in .\(other); .jsonl, .csv or .tsv is expected")
    }
  }

  /// The number of rows.
  package var count: Int { starts.count - 1 }

  /// The places where rows begin that are not blank, and the end of the file.
  ///
  /// - Parameter quoted: whether quotation marks may enclose ends of lines.
  private static func starts(
    _ bytes: UnsafeRawBufferPointer, from first: Int, quoted: Bool
  ) -> [Int] {
    var starts: [Int] = []
    var (start, isBlank, isInside) = (first, true, false)
    func isBlankByte(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
    for place in first..<max(first, bytes.count) {
      let byte = bytes[place]
      if byte == UInt8(ascii: "\n"), !isInside {
        if !isBlank { starts.append(start) }
        (start, isBlank) = (place + 1, true)
        continue
      }
      if quoted, byte == UInt8(ascii: "\"") { isInside.toggle() }
      if isBlank, !isBlankByte(byte) { isBlank = false }
    }
    if !isBlank { starts.append(start) }
    return starts + [bytes.count]
  }

  /// The number of a row's first line in the file, from 1.
  package func line(_ row: Int) -> Int {
    1 + file.bytes[..<starts[row]].count { $0 == UInt8(ascii: "\n") }
  }

  /// The bytes of a row; they may end with those of blank lines.
  func bytes(_ row: Int) -> Slice<UnsafeRawBufferPointer> {
    file.bytes[starts[row]..<starts[row + 1]]
  }

  /// The texts of a row by the names of its columns; one column may have several.
  ///
  /// - Throws: `RowFault`.
  package func row(_ row: Int) throws(RowFault) -> [String: [String]] {
    switch form {
    case .jsonLines: return try JSONRow.texts(bytes(row))
    case .separated(let separator, let columns):
      let fields = try SeparatedRow.fields(bytes(row), by: separator)
      guard fields.count == columns.count else {
        throw RowFault("it has \(fields.count) columns, and the first row \(columns.count)")
      }
      return Dictionary(zip(columns, fields).map { ($0, [$1]) }) { $1 }
    }
  }

  /// The error for what is wrong with a row, with its line, which takes a pass over the lines before it.
  package func error(_ fault: RowFault, _ row: Int) -> DatasetError {
    .damagedRow(path: path, line: line(row), reason: fault.reason)
  }
}
