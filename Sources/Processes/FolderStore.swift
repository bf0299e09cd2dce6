import Files
import Foundation
import PJRT

/// A store in a folder that all processes see: on one machine any folder, on several one of a shared
/// file system. Each key is a file.
public struct FolderStore: KeyValueStore {
  /// The folder.
  public let path: String

  /// Opens a folder, which is made where it is missing.
  ///
  /// - Throws: `ProcessesError.storeUnreachable`.
  public init(_ path: String) throws {
    self.path = path
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ProcessesError.storeUnreachable(store: path, reason: error.localizedDescription)
    }
  }

  /// See `KeyValueStore`.
  public func put(_ key: String, _ value: [UInt8]) throws {
    do {
      // A reader sees the whole value or none. What is told is gone with the machine anyway, so it
      // need not reach the disk.
      try Data(value).write(to: URL(fileURLWithPath: file(key)), options: .atomic)
    } catch {
      throw ProcessesError.storeUnreachable(store: path, reason: error.localizedDescription)
    }
  }

  /// See `KeyValueStore`.
  public func get(_ key: String) throws -> [UInt8]? {
    if let data = FileManager.default.contents(atPath: file(key)) { return [UInt8](data) }
    guard FileManager.default.fileExists(atPath: path) else {
      throw ProcessesError.storeUnreachable(store: path, reason: "the folder is gone")
    }
    return nil
  }

  private func file(_ key: String) -> String {
    let name = key.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? key
    return "\(path)/\(name)"
  }
}
