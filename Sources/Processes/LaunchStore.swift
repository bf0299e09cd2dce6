import Foundation
import Synchronization

/// The store that `twinflow launch` creates for its processes where none is named: a temporary
/// folder that is removed after the last process has ended.
///
/// The launcher and its processes each hold a shared lock on a file in it. A process that gets the
/// exclusive lock knows that all others have ended, and removes the folder: the launcher at its
/// end; if it was killed, its last process; if those were killed too, the next launcher.
public final class LaunchStore: Sendable {
  /// The folder.
  public let path: String

  private let lock: Int32
  private let isRemoved = Atomic<Bool>(false)

  private static let prefix = "twinflow-launch-"
  private static let lockName = "processes.lock"

  /// Creates a store in the folder for temporary files.
  ///
  /// - Throws: `ProcessesError.storeUnreachable`.
  public init(run: String, in folder: String = NSTemporaryDirectory()) throws(ProcessesError) {
    path = (folder as NSString).appendingPathComponent(Self.prefix + run)
    guard mkdir(path, 0o700) == 0 else { throw Self.failure(path) }
    lock = open(path + "/" + Self.lockName, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard lock >= 0 else {
      let error = Self.failure(path)
      rmdir(path)
      throw error
    }
    // Another launcher may have removed the new file as an abandoned one.
    guard flock(lock, LOCK_SH) == 0, Self.isFile(lock, at: path) else { throw Self.failure(path) }
  }

  /// Enters a store as one of the processes that it was made for.
  ///
  /// - Returns: nil where the folder is not a launcher's, or no longer exists.
  public init?(entering path: String) {
    guard Self.isName(path) else { return nil }
    self.path = path
    lock = open(path + "/" + Self.lockName, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard lock >= 0, flock(lock, LOCK_SH) == 0, Self.isFile(lock, at: path) else { return nil }
  }

  deinit { close(lock) }

  /// Leaves the store, and removes it if no other process uses it.
  ///
  /// - Returns: whether it was removed.
  @discardableResult
  public func leave() -> Bool {
    guard !isRemoved.exchange(true, ordering: .relaxed) else { return false }
    return Self.removeUnused(path, lock)
  }

  /// Removes the stores of this user's launchers that were killed.
  public static func removeAbandoned(in folder: String = NSTemporaryDirectory()) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for path in names.map({ (folder as NSString).appendingPathComponent($0) }) where isName(path) {
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
        status.st_uid == getuid()
      else { continue }
      let lock = open(path + "/" + lockName, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
      guard lock >= 0 else { continue }
      removeUnused(path, lock)
      close(lock)
    }
  }

  /// Removes a store whose lock no other process holds.
  @discardableResult
  private static func removeUnused(_ path: String, _ lock: Int32) -> Bool {
    guard flock(lock, LOCK_EX | LOCK_NB) == 0, isFile(lock, at: path) else { return false }
    // The lock is removed last: if something remains, the next launcher tries again.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    where name != lockName {
      try? FileManager.default.removeItem(atPath: path + "/" + name)
    }
    return unlink(path + "/" + lockName) == 0 && rmdir(path) == 0
  }

  /// Whether an open file is still the lock at its path, and was not removed.
  private static func isFile(_ file: Int32, at path: String) -> Bool {
    var (own, there) = (stat(), stat())
    return fstat(file, &own) == 0 && lstat(path + "/" + lockName, &there) == 0
      && own.st_ino == there.st_ino && own.st_dev == there.st_dev
  }

  /// Whether a path has the name of a launcher's store.
  private static func isName(_ path: String) -> Bool {
    let name = (path as NSString).lastPathComponent
    return name.hasPrefix(prefix) && UUID(uuidString: String(name.dropFirst(prefix.count))) != nil
  }

  private static func failure(_ path: String) -> ProcessesError {
    .storeUnreachable(store: path, reason: String(cString: strerror(errno)))
  }
}
