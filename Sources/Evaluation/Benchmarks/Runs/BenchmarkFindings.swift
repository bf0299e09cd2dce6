import Datasets
import Files
import Foundation

/// What judges found in pictures, from a file with a JSON object on each line, which names its picture.
struct BenchmarkFindings {
  /// The lines by the paths of their pictures within the folder.
  private(set) var lines: [String: (number: Int, members: JSONMembers)] = [:]
  /// The names of pictures that are not known.
  private(set) var unknown: [String] = []
  /// The file.
  let path: String

  /// The keys that name a picture.
  static let fileKeys = ["file", "filename", "image"]

  /// Reads a file; of several lines about a picture the last one counts.
  ///
  /// - Parameter files: the paths of the pictures within their folder.
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedLine`.
  init(_ path: String, files: [String]) throws {
    self.path = path
    let known = Set(files)
    // The last line of a process that was killed may be cut.
    for (number, value) in try JSONLines(path, ignoresCutEnd: true).lines {
      do {
        let members = try JSONMembers(value)
        guard case .string(let name)? = members.first(of: Self.fileKeys) else {
          throw RowFault("it has no `file`, which names the picture")
        }
        // The path may begin further up than the folder of pictures.
        var parts = name.split(separator: "/")[...]
        while !parts.isEmpty, !known.contains(parts.joined(separator: "/")) { parts.removeFirst() }
        if parts.isEmpty {
          unknown.append(name)
        } else {
          lines[parts.joined(separator: "/")] = (number, members)
        }
      } catch let fault as RowFault {
        throw BenchmarkError.damagedLine(path: path, line: number, reason: fault.reason)
      }
    }
  }

  /// The value of a picture's line, nil where there is none.
  ///
  /// - Throws: `BenchmarkError.damagedLine` for a `RowFault` of `body`.
  func value<Value>(_ file: String, _ body: (JSONMembers) throws -> Value) throws -> Value? {
    guard let (number, members) = lines[file] else { return nil }
    do {
      return try body(members)
    } catch let fault as RowFault {
      throw BenchmarkError.damagedLine(path: path, line: number, reason: fault.reason)
    }
  }

  /// The judges that are named in the lines.
  var judges: [String] { judges(of: Set(lines.keys)) }

  /// The judges that are named in the lines about some pictures.
  func judges(of files: Set<String>) -> [String] {
    Set(
      files.compactMap { file -> String? in
        if case .string(let name)? = lines[file]?.members["judge"] { name } else { nil }
      }
    ).sorted()
  }

  /// Rewrites a file without its lines about some pictures, because these are made again.
  ///
  /// - Returns: the number of lines that were removed.
  /// - Throws: `FileError`.
  static func remove(_ files: [String], from path: String) throws -> Int {
    guard !files.isEmpty, FileManager.default.fileExists(atPath: path) else { return 0 }
    let content = try MappedFile.data(path)
    let lines = content.split(separator: UInt8(ascii: "\n"))
    let gone = Set(files)
    let kept = lines.filter { line in
      let value = try? line.withUnsafeBytes { try JSONReader.read($0) }
      guard let value, let members = try? JSONMembers(value),
        case .string(let name)? = members.first(of: Self.fileKeys)
      else { return true }
      return !gone.contains(name) && !files.contains { name.hasSuffix("/\($0)") }
    }
    guard kept.count < lines.count else { return 0 }
    let text = Data(kept.joined(separator: Data("\n".utf8))) + Data((kept.isEmpty ? "" : "\n").utf8)
    try StagedFile.write(text, to: path, as: .text)
    return lines.count - kept.count
  }
}
