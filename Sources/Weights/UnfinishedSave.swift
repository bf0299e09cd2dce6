import Files
import Foundation

/// What a save of several files writes down before the first of them takes its place, and deletes
/// once all have: the next save of the same path knows by it what one that was cut short has left.
struct UnfinishedSave {
  /// The files that were being made. They say of themselves that they belong to the whole.
  let writes: Set<String>
  /// The files of what was being replaced.
  let replaces: Set<String>

  private static let (key, writesKey, replacesKey) = ("unfinished_save", "writes", "replaces")

  init(writes: Set<String>, replaces: Set<String>) {
    (self.writes, self.replaces) = (writes, replaces)
  }

  /// Reads what was left; nil where nothing was.
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
