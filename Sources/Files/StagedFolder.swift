import Foundation

/// A folder that is written under a temporary name beside its target, and renamed once all of it is
/// there: it is complete or not there.
///
/// The temporary folder is locked as long as its writer lives; those of killed writers are removed with
/// the next folder that is written to the same place.
public final class StagedFolder {
  /// The temporary folder, in which files are written.
  public let path: String
  private let target: String
  private let replaces: Bool
  private var lock: FolderLock?
  private var isCommitted = false

  private static let (prefix, suffix) = (".twinflow-", ".partial")

  /// Creates the temporary folder.
  ///
  /// - Parameter replaces: whether a folder that is at the target may be replaced; it is then deleted
  ///   just before the new one takes its place.
  /// - Throws: `FileError.exists` where the target is there already, and `unwritable`.
  public init(_ target: String, replacing replaces: Bool = false) throws(FileError) {
    var place = target
    while place.count > 1, place.hasSuffix("/") { place.removeLast() }
    guard !place.isEmpty else {
      throw .unwritable(path: target, reason: "it does not name a folder")
    }
    self.target = place
    self.replaces = replaces
    if !replaces { try Self.checkAbsent(place) }
    let parent = FilePath.folder(place)
    Self.removeAbandoned(in: parent)
    path = Self.newPath(in: parent)
    guard mkdir(path, 0o777) == 0 else {
      throw .unwritable(path: target, reason: String(cString: strerror(errno)))
    }
    lock = try FolderLock(path)
  }

  deinit {
    guard !isCommitted else { return }
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Moves the folder to its target.
  ///
  /// - Throws: `FileError.exists` where the target has come to be there meanwhile, and `unwritable`.
  public func commit() throws(FileError) {
    let parent = FilePath.folder(target)
    var old: String?
    if replaces {
      // Under a temporary name it is deleted later if this process ends before it has done so.
      let place = Self.newPath(in: parent)
      if rename(target, place) == 0 {
        old = place
      } else if errno != ENOENT {
        throw .unwritable(path: target, reason: String(cString: strerror(errno)))
      }
    }
    try Self.checkAbsent(target)
    lock = nil
    guard rename(path, target) == 0 else {
      let reason = String(cString: strerror(errno))
      if let old { rename(old, target) }
      throw .unwritable(path: target, reason: reason)
    }
    isCommitted = true
    try StagedFile.settle(parent, for: target)
    if let old { try? FileManager.default.removeItem(atPath: old) }
  }

  private static func newPath(in folder: String) -> String {
    "\(folder)/\(prefix)\(UUID().uuidString.lowercased())\(suffix)"
  }

  private static func checkAbsent(_ path: String) throws(FileError) {
    var status = stat()
    if lstat(path, &status) == 0 { throw .exists(path: path) }
  }

  /// Deletes the temporary folders whose writers no longer run.
  public static func removeAbandoned(in folder: String) {
    for name in (try? namesInFolder(folder)) ?? []
    where name.hasPrefix(prefix) && name.hasSuffix(suffix) {
      let uuid = name.dropFirst(prefix.count).dropLast(suffix.count)
      let path = "\(folder)/\(name)"
      var status = stat()
      guard UUID(uuidString: String(uuid)) != nil, lstat(path, &status) == 0,
        status.st_mode & S_IFMT == S_IFDIR, let lock = try? FolderLock(path), lock.isHeld
      else { continue }
      withExtendedLifetime(lock) { _ = try? FileManager.default.removeItem(atPath: path) }
    }
  }
}
