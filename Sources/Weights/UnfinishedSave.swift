import Files
import Foundation

/// The list that a save of several files writes before it replaces the first of them, and deletes
/// after the last: from it the next save of the same path knows the files of an interrupted one.
struct UnfinishedSave {
  /// The files that were being written; their metadata name the save.
  let writes: Set<String>
  /// The files that were being replaced.
  let replaces: Set<String>

  private static let (key, writesKey, replacesKey) = ("unfinished_save", "writes", "replaces")

  init(writes: Set<String>, replaces: Set<String>) {
    (self.writes, self.replaces) = (writes, replaces)
  }

  /// Reads the list of an interrupted save, nil where there is none.
  ///
  /// - Throws: `FileError.otherKind` where something else has its name, `unreadable`.
  init?(of place: String) throws {
    let path = Self.path(of: place)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try MappedFile(path)
    let save = withExtendedLifetime(file) { () -> [String: Any]? in
      (try? JSONValues.object(file.bytes, what: ""))?[Self.key] as? [String: Any]
    }
    guard file.bytes.isEmpty || save != nil else {
      throw FileError.otherKind(
        path: path, found: "something else", expected: "the list of the files of a save")
    }
    func names(_ key: String) -> Set<String> {
      Set((save?[key] as? [String] ?? []).filter(WeightIndex.isPlain))
    }
    (writes, replaces) = (names(Self.writesKey), names(Self.replacesKey))
  }

  /// The path of the list.
  static func path(of place: String) -> String { place + ".unfinished.json" }

  func write(of place: String) throws {
    let content = [
      Self.key: [Self.writesKey: writes.sorted(), Self.replacesKey: replaces.sorted()]
    ]
    try JSONFile.write(content, to: Self.path(of: place))
  }
}
