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
  private var lock: FolderLock?
  private var isCommitted = false

  private static let (prefix, suffix) = (".twinflow-", ".partial")

  /// Creates the temporary folder.
  ///
  /// - Throws: `FileError.exists` where the target is there already, and `unwritable`.
  public init(_ target: String) throws(FileError) {
    var place = target
    while place.count > 1, place.hasSuffix("/") { place.removeLast() }
    guard !place.isEmpty else {
      throw .unwritable(path: target, reason: "it does not name a folder")
    }
    self.target = place
    try Self.checkAbsent(place)
    let parent = FilePath.folder(place)
    Self.removeAbandoned(in: parent)
    path = "\(parent)/\(Self.prefix)\(UUID().uuidString.lowercased())\(Self.suffix)"
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
    try Self.checkAbsent(target)
    lock = nil
    guard rename(path, target) == 0 else {
      throw .unwritable(path: target, reason: String(cString: strerror(errno)))
    }
    isCommitted = true
    try StagedFile.settle(FilePath.folder(target), for: target)
  }

  private static func checkAbsent(_ path: String) throws(FileError) {
    var status = stat()
    if lstat(path, &status) == 0 { throw .exists(path: path) }
  }

  /// Deletes the temporary folders whose writers no longer run.
  private static func removeAbandoned(in folder: String) {
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
