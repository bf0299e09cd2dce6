import Foundation

@testable import Files

/// A folder of its own for one test, removed with its contents afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = NSTemporaryDirectory() + "files-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// A folder of its own that an exit test can reach as well.
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let folder = NSTemporaryDirectory() + "files-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}

/// Writes a file as given.
func put(_ bytes: [UInt8], _ path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// Writes a text as given.
func put(_ text: String, _ path: String) throws { try put(Array(text.utf8), path) }

/// What a file holds.
func contents(_ path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// The mode bits of a file, of a link's own where `link` is true.
func mode(_ path: String) throws -> UInt32 {
  var status = stat()
  guard stat(path, &status) == 0 else { throw FileError.unreadable(path: path, reason: "stat") }
  return status.st_mode & 0o7777
}
