import Files
import Foundation
import Synchronization

/// The rows of Parquet files. Prompts are kept in a scratch file; pictures are read some at a time.
final class ParquetRows: PictureRows {
  let path: String
  let content: String
  let problems: DataProblems
  let count: Int
  private let program: DuckDB
  private let files: [File]
  /// How the bytes of the picture and of reference images are queried.
  private let images: [String]
  private let texts: ScratchFile
  /// Where the prompts of each row are, with zeros between them.
  private let places: [Range<Int>]
  private let window = Mutex<Window?>(nil)

  /// A file with its rows.
  private struct File: Sendable {
    let path: String
    let rows: Range<Int>
  }

  /// The pictures of rows that follow each other.
  private struct Window {
    let rows: Range<Int>
    let pictures: [[PictureFile]]
  }

  /// The most rows whose pictures are in memory.
  private static let windowSize = 32

  /// Reads the columns and all prompts.
  init(_ path: String, _ columns: TextColumns, _ references: Int) throws {
    self.path = path
    program = try DuckDB()
    let hash = ContentHash()
    let scratch = try ScratchFile(in: NSTemporaryDirectory())
    var (files, places, problems) = ([File](), [Range<Int>](), DataProblems())
    var images: [String]?
    for file in try ShardNames.of(path, endings: [".parquet"]) {
      try PictureFile(file).addExcerpt(to: hash)
      let schema = try Self.schema(of: file, program)
      let text = try Self.column(columns.text.map { [$0] } ?? TextColumns.texts, schema, file).name
      let own = try Self.images(columns, references, schema, file)
      guard images == nil || images == own else {
        throw DatasetError.damagedParquet(
          path: file, reason: "its columns differ from those of \(files[0].path)")
      }
      images = own
      let first = places.count
      let missing = own.map { "\($0) is null" }.joined(separator: " or ")
      let query =
        "select \(DuckDB.name(text)) as t, (\(missing)) as m from read_parquet("
        + "\(DuckDB.text(file)), file_row_number = true) order by file_row_number"
      try program.rows(query, path: file) { row in
        let texts = TextColumns.prompts(Self.texts(row["t"]))
        let name = Self.name(file, places.count - first)
        if texts.isEmpty { problems.add(.noPrompt(path: name)) }
        if row["m"] as? Bool == true {
          problems.add(.missingBeside(path: name, missing: "picture"))
        }
        for text in texts { hash.add(text) }
        places.append(try scratch.append(texts.joined(separator: "\0").utf8))
      }
      files.append(File(path: file, rows: first..<places.count))
    }
    content = hash.text
    count = places.count
    texts = scratch
    self.images = images ?? []
    (self.files, self.places, self.problems) = (files, places, problems)
  }

  /// The types of a file's columns by their names.
  private static func schema(of file: String, _ program: DuckDB) throws -> [String: String] {
    var types: [String: String] = [:]
    let query = "describe select * from read_parquet(\(DuckDB.text(file)))"
    try program.rows(query, path: file) { row in
      if let name = row["column_name"] as? String, let type = row["column_type"] as? String {
        types[name] = type
      }
    }
    return types
  }

  /// The first of some columns that is there.
  private static func column(
    _ names: [String], _ schema: [String: String], _ file: String
  ) throws -> (name: String, type: String) {
    guard let name = names.first(where: { schema[$0] != nil }), let type = schema[name] else {
      throw DatasetError.damagedParquet(
        path: file,
        reason: "it has no column \(names.joined(separator: " or ")); its columns are "
          + schema.keys.sorted().joined(separator: ", "))
    }
    return (name, type)
  }

  /// How the bytes of pictures are queried.
  private static func images(
    _ columns: TextColumns, _ references: Int, _ schema: [String: String], _ file: String
  ) throws -> [String] {
    let usual = columns.image.map { [$0] } ?? ["image", "img", "picture"]
    let all = [usual] + (0..<references).map { ["ref\($0 + 1)"] }
    return try all.map { names in
      let (name, type) = try column(names, schema, file)
      if type == "BLOB" { return DuckDB.name(name) }
      guard type.hasPrefix("STRUCT("), type.contains("bytes BLOB") else {
        throw DatasetError.damagedParquet(
          path: file,
          reason: "column \(name) is \(type); bytes, or a structure with bytes, are expected")
      }
      return "\(DuckDB.name(name)).bytes"
    }
  }

  private static func texts(_ value: Any?) -> [String] {
    switch value {
    case let text as String: [text]
    case let list as [Any]: list.compactMap { $0 as? String }
    case let number as NSNumber: ["\(number)"]
    default: []
    }
  }

  private static func name(_ file: String, _ row: Int) -> String { "\(file), row \(row)" }

  func name(_ row: Int) -> String {
    let file = file(of: row)
    return Self.name(file.path, row - file.rows.lowerBound)
  }

  private func file(of row: Int) -> File { files.first { $0.rows.contains(row) }! }

  func texts(_ row: Int) throws -> [String] {
    String(decoding: try texts.bytes(places[row]), as: UTF8.self).split(separator: "\0")
      .map(String.init)
  }

  func file(_ row: Int, reference: Int?) throws -> PictureFile {
    let number = reference.map { $0 + 1 } ?? 0
    return try window.withLock { window in
      if let window, window.rows.contains(row) {
        return window.pictures[row - window.rows.lowerBound][number]
      }
      let read = try pictures(around: row)
      window = read
      return read.pictures[row - read.rows.lowerBound][number]
    }
  }

  /// Reads the pictures of a row and of those behind it.
  private func pictures(around row: Int) throws -> Window {
    let file = file(of: row)
    let rows = row..<min(row + Self.windowSize, file.rows.upperBound)
    let first = rows.lowerBound - file.rows.lowerBound
    let columns = images.enumerated().map { "to_base64(\($1)) as i\($0)" }
    let query =
      "select \(columns.joined(separator: ", ")) from read_parquet(\(DuckDB.text(file.path)), "
      + "file_row_number = true) where file_row_number >= \(first) and file_row_number < "
      + "\(first + rows.count) order by file_row_number"
    var pictures: [[PictureFile]] = []
    try program.rows(query, path: file.path) { found in
      let name = Self.name(file.path, first + pictures.count)
      pictures.append(
        images.indices.map { number in
          let data = (found["i\(number)"] as? String).flatMap { Data(base64Encoded: $0) }
          return PictureFile(Array(data ?? Data()), name: name)
        })
    }
    guard pictures.count == rows.count else {
      throw DatasetError.damagedParquet(path: file.path, reason: "it was changed meanwhile")
    }
    return Window(rows: rows, pictures: pictures)
  }
}
