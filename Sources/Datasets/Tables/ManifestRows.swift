import Files
import Foundation

/// The rows of a table of pictures and prompts.
struct ManifestRows: PictureRows {
  private(set) var content = ""
  private(set) var problems = DataProblems()
  private let table: TextTable
  private let folder: String
  private let columns: TextColumns

  var path: String { table.path }
  var count: Int { table.count }

  /// Reads each row once, and the first and last bytes of its pictures.
  init(
    _ path: String, _ columns: TextColumns, _ references: Int, masks: Bool = false
  ) throws {
    table = try TextTable(path)
    folder = path.contains("/") ? String(path[..<path.lastIndex(of: "/")!]) : "."
    self.columns = columns
    guard table.count > 0 else { throw DatasetError.noSamples(path: path, expected: "row") }
    let hash = ContentHash()
    hash.add(table.file.bytes)
    var last: String?
    for row in 0..<table.count {
      do {
        let texts = try table.row(row)
        if columns.prompts(texts).isEmpty {
          throw RowFault("it has no text under \(columns.textNames)")
        }
        for reference in [nil] + (0..<references).map(Optional.some) {
          let picture = try place(texts, reference)
          // Rows with several prompts for one picture often follow each other.
          guard picture != last else { continue }
          guard FileManager.default.fileExists(atPath: picture) else {
            throw RowFault("there is no picture \(picture)")
          }
          last = picture
          try PictureFile(picture).addExcerpt(to: hash)
        }
        if masks, let mask = mask(texts) {
          guard FileManager.default.fileExists(atPath: mask) else {
            throw RowFault("there is no mask \(mask)")
          }
          try PictureFile(mask).addExcerpt(to: hash)
        }
      } catch let fault as RowFault {
        problems.add(table.error(fault, row))
      }
    }
    content = hash.text
  }

  /// The path of a picture of a row.
  private func place(
    _ texts: [String: [String]], _ reference: Int?
  ) throws(RowFault) -> String {
    let names =
      reference.map { ["ref\($0 + 1)"] } ?? columns.image.map { [$0] } ?? ["image", "file_name"]
    guard let name = names.lazy.compactMap({ texts[$0]?.first }).first, !name.isEmpty else {
      throw RowFault("it names no picture under \(names.joined(separator: ", "))")
    }
    return name.hasPrefix("/") ? name : "\(folder)/\(name)"
  }

  /// The path of the mask of a row, nil without one.
  private func mask(_ texts: [String: [String]]) -> String? {
    texts["mask"]?.first.flatMap { name in
      name.isEmpty ? nil : name.hasPrefix("/") ? name : "\(folder)/\(name)"
    }
  }

  func mask(_ row: Int) throws -> PictureFile? {
    do {
      return try mask(try table.row(row)).map { try PictureFile($0) }
    } catch let fault as RowFault {
      throw table.error(fault, row)
    }
  }

  func name(_ row: Int) -> String { "\(path), line \(table.line(row))" }

  func texts(_ row: Int) throws -> [String] {
    do {
      return columns.prompts(try table.row(row))
    } catch {
      throw table.error(error, row)
    }
  }

  func file(_ row: Int, reference: Int?) throws -> PictureFile {
    do {
      return try PictureFile(place(try table.row(row), reference))
    } catch let fault as RowFault {
      throw table.error(fault, row)
    }
  }
}
