import Files
import Foundation

/// The files that a data set is divided into.
enum ShardNames {
  /// The files of a path: the file itself; those of a folder with an ending, in the order of their names; or
  /// those of a pattern, in which `{000..012}` stands for each of these numbers.
  ///
  /// - Throws: `DatasetError` where there is none, `FileError.unreadable`.
  static func of(_ path: String, endings: [String]) throws -> [String] {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else { return [path] }
      let names = try namesInFolder(path).filter { name in
        !name.hasPrefix(".") && endings.contains { name.lowercased().hasSuffix($0) }
      }
      guard !names.isEmpty else {
        throw DatasetError.noSamples(
          path: path, expected: "file \(endings.joined(separator: ", "))")
      }
      return names.map { "\(path)/\($0)" }
    }
    let files = expanded(path)
    for file in files where !FileManager.default.fileExists(atPath: file) {
      throw DatasetError.missing(path: file, package: nil)
    }
    return files
  }

  /// The names that a pattern stands for.
  static func expanded(_ pattern: String) -> [String] {
    guard let found = pattern.firstMatch(of: /\{(\d+)\.\.(\d+)\}/), let first = Int(found.1),
      let last = Int(found.2), first <= last, last - first < 1 << 20
    else { return [pattern] }
    return (first...last).flatMap { number -> [String] in
      let digits = "\(number)"
      let zeros = String(repeating: "0", count: max(0, found.1.count - digits.count))
      return expanded(pattern.replacingCharacters(in: found.range, with: zeros + digits))
    }
  }
}
