import Files
import Foundation

extension BenchmarkScoring {
  /// Whether pictures have findings in the run's file that are not by a judge of a name.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedLine`.
  public func hasFindings(otherThanBy judge: BenchmarkJudge) throws -> Bool {
    guard FileManager.default.fileExists(atPath: findingsPath) else { return false }
    let known = try BenchmarkFindings(findingsPath, files: files.map(\.path))
    return known.lines.values.contains { _, members in
      guard case .string(let name)? = members["judge"] else { return true }
      return name != judge.name
    }
  }

  /// Lets a judge look at the pictures that the run's file has no line of, and adds them to it.
  ///
  /// - Throws: `BenchmarkError.mixedJudges` where another one looked at some of them, and the errors of the judge
  ///   and of files.
  func look(_ judge: BenchmarkJudge, _ progress: (Int) throws -> Void) throws {
    let path = findingsPath
    let manager = FileManager.default
    if !manager.fileExists(atPath: path) {
      try StagedFile.write(Data(), to: path, as: .jsonLines)
    }
    let hashes = try Dictionary(
      uniqueKeysWithValues: files.map { file in
        (file.path, try ContentHash.ofFile("\(pictures)/\(file.path)"))
      })
    let known = try BenchmarkFindings(path, files: files.map(\.path))
    let left = files.filter { file in
      guard needsFindings(file) else { return false }
      guard let (_, members) = known.lines[file.path] else { return true }
      // What was found in another picture of this name does not count.
      guard case .string(let hash)? = members["hash"] else { return false }
      return hash != hashes[file.path]
    }
    let kept = Set(files.map(\.path)).subtracting(left.map(\.path))
    if let other = known.judges(of: kept).first(where: { $0 != judge.name }) {
      throw BenchmarkError.mixedJudges(path: path, found: other, given: judge.name)
    }
    guard let handle = FileHandle(forUpdatingAtPath: path) else {
      throw FileError.unwritable(path: path, reason: "it cannot be opened")
    }
    defer { try? handle.close() }
    // A line that a killed process did not finish is written again.
    let content = try handle.readToEnd() ?? Data()
    let end = content.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    try handle.truncate(atOffset: UInt64(end))
    for (number, file) in left.enumerated() {
      let own = try images(of: file)
      let members: [(key: String, value: JSON)] =
        [
          ("file", .string(file.path)), ("hash", .string(hashes[file.path]!)),
          ("judge", .string(judge.name)),
        ] + (try judge.findings(own, file.item, of: set))
      try handle.write(contentsOf: Data((PythonJSON.text(.object(members)) + "\n").utf8))
      try progress(number + 1)
    }
  }
}
