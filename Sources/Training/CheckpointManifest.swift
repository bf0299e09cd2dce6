import Files
import Foundation

/// What the file `checkpoint.json` in the folder of a checkpoint says: its step, its metrics, and its
/// files with their hashes, so that damage is noticed before the state is used.
struct CheckpointManifest: Codable, Equatable {
  /// A file of the checkpoint.
  struct File: Codable, Equatable {
    /// Its size.
    var bytes: Int
    /// The hash of its content, see `ContentHash`.
    var hash: String
  }

  /// The number of steps made.
  var step: Int
  /// The metrics by which checkpoints are compared, see `MetricMeans`.
  var metrics: [String: Double]
  /// The files by their paths within the folder.
  var files: [String: File]

  /// The name of the file.
  static let name = "checkpoint.json"

  /// Describes the files that are in a folder.
  ///
  /// - Throws: `FileError.unreadable`.
  init(of folder: String, step: Int, metrics: [String: Double]) throws {
    (self.step, self.metrics, files) = (step, metrics, [:])
    for path in try Self.files(in: folder) {
      let place = "\(folder)/\(path)"
      files[path] = File(
        bytes: try Self.size(place), hash: try ContentHash.ofFile(place))
    }
  }

  /// Reads the description in a folder.
  ///
  /// - Throws: `TrainingError.damagedCheckpoint`.
  init(readingFrom folder: String) throws {
    let path = "\(folder)/\(Self.name)"
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TrainingError.damagedCheckpoint(path: folder, reason: "it has no \(Self.name)")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: data)
    } catch {
      throw TrainingError.damagedCheckpoint(
        path: folder, reason: "its \(Self.name) cannot be read")
    }
  }

  /// Writes the description into a folder.
  func write(to folder: String) throws { try JSONFile.write(self, to: "\(folder)/\(Self.name)") }

  /// Checks that every file is there and has the content that was written.
  ///
  /// - Throws: `TrainingError.damagedCheckpoint` with the first file that does not.
  func check(_ folder: String) throws {
    func fail(_ reason: String) -> TrainingError {
      .damagedCheckpoint(path: folder, reason: reason)
    }
    for (name, file) in files.sorted(by: { $0.key < $1.key }) {
      let path = "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: path) else { throw fail("\(name) is missing") }
      let size = try Self.size(path)
      guard size == file.bytes else {
        throw fail("\(name) has \(size) bytes, and \(file.bytes) were written")
      }
    }
    for (name, file) in files.sorted(by: { $0.key < $1.key }) {
      guard try ContentHash.ofFile("\(folder)/\(name)") == file.hash else {
        throw fail("\(name) has other content than was written")
      }
    }
  }

  /// The paths of the files within a folder.
  private static func files(in folder: String) throws -> [String] {
    do {
      return try FileManager.default.subpathsOfDirectory(atPath: folder).filter { path in
        var isFolder: ObjCBool = false
        return path != name && path != ".lock"
          && FileManager.default.fileExists(atPath: "\(folder)/\(path)", isDirectory: &isFolder)
          && !isFolder.boolValue
      }.sorted()
    } catch {
      throw FileError.unreadable(path: folder, reason: error.localizedDescription)
    }
  }

  private static func size(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw FileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    return Int(status.st_size)
  }
}
