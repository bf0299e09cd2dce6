import Files
import Foundation

/// The measurements of a run, saved in its folder, so that a comparison can be stopped at any time.
struct SavedRow: Codable {
  /// The hash of all that the measurements depend on.
  let key: String
  let row: ComparisonReport.Row
  /// The hash of both, to detect edited files.
  let check: String

  init(_ key: String, _ row: ComparisonReport.Row) throws {
    (self.key, self.row) = (key, row)
    check = try Self.check(key, row)
  }

  /// Whether the run has failed.
  var isFailure: Bool { row.parameters == nil }

  /// Whether the file was not edited.
  var isIntact: Bool { (try? Self.check(key, row)) == check }

  private static func check(_ key: String, _ row: ComparisonReport.Row) throws -> String {
    ContentHash.of(key + (try JSONFile.text(row)))
  }

  init?(in folder: String) {
    guard let data = FileManager.default.contents(atPath: Self.path(folder)),
      let saved = try? JSONDecoder().decode(SavedRow.self, from: data)
    else { return nil }
    self = saved
  }

  func write(in folder: String) throws { try JSONFile.write(self, to: Self.path(folder)) }

  private static func path(_ folder: String) -> String { folder + "/measured.json" }
}
