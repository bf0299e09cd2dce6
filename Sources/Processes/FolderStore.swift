import Files
import Foundation
import PJRT

/// A store in a folder that all processes can access: on one machine any folder, on several a
/// folder of a shared file system. Each key is a file.
public struct FolderStore: KeyValueStore {
  /// The folder.
  public let path: String

  /// Opens a folder, which is created where it is missing.
  ///
  /// - Throws: `ProcessesError.storeUnreachable`.
  public init(_ path: String) throws {
    self.path = path
    guard !path.utf8.contains(0) else {
      throw ProcessesError.storeUnreachable(store: path, reason: "it contains a NUL character")
    }
    guard Self.makeFolder(path) else { throw failure() }
  }

  /// See `KeyValueStore`.
  public func put(_ key: String, _ value: [UInt8]) throws {
    do {
      // Readers see the complete value or none. Values do not outlive the machine, so they need not
      // reach the disk.
      try Data(value).write(to: URL(fileURLWithPath: file(key)), options: .atomic)
    } catch {
      throw ProcessesError.storeUnreachable(store: path, reason: Self.reason(error))
    }
  }

  /// See `KeyValueStore`.
  public func get(_ key: String) throws -> [UInt8]? {
    let descriptor = open(file(key), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      // A file that another machine has just replaced will be there on the next attempt.
      guard errno == ENOENT || errno == ESTALE else { throw failure() }
      guard access(path, F_OK) == 0 else {
        throw ProcessesError.storeUnreachable(store: path, reason: "the folder is gone")
      }
      return nil
    }
    defer { close(descriptor) }
    var value: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count == 0 { return value }
      if count > 0 {
        value += buffer[..<count]
      } else if errno == ESTALE {
        return nil
      } else if errno != EINTR {
        throw failure()
      }
    }
  }

  /// Creates a folder and its parents where they are missing.
  ///
  /// - Returns: whether it exists; otherwise errno has the reason.
  private static func makeFolder(_ path: String) -> Bool {
    func isFolder() -> Bool {
      var status = stat()
      guard stat(path, &status) == 0 else { return false }
      errno = ENOTDIR
      return status.st_mode & S_IFMT == S_IFDIR
    }
    if mkdir(path, 0o777) == 0 || errno == EEXIST && isFolder() { return true }
    let parent = (path as NSString).deletingLastPathComponent
    guard errno == ENOENT, !parent.isEmpty, parent != path, makeFolder(parent) else { return false }
    return mkdir(path, 0o777) == 0 || errno == EEXIST && isFolder()
  }

  /// The system's reason for an error, which is more specific than Foundation's.
  private static func reason(_ error: any Error) -> String {
    var error = error as NSError
    while let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError { error = inner }
    return error.domain == NSPOSIXErrorDomain
      ? String(cString: strerror(Int32(truncatingIfNeeded: error.code)))
      : error.localizedDescription
  }

  private func failure() -> ProcessesError {
    .storeUnreachable(store: path, reason: String(cString: strerror(errno)))
  }

  private func file(_ key: String) -> String {
    let name = key.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? key
    return "\(path)/\(name)"
  }
}
