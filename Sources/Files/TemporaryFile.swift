import Foundation

/// A file with a unique name, `.twinflow-<16 hexadecimal digits>.partial`, that is locked while
/// it is open, and deleted unless it is moved.
final class TemporaryFile {
  /// The reason why a file could not be created.
  struct Fault: Error { let reason: String }

  let path: String
  private(set) var descriptor: Int32
  private var isInPlace = true

  /// Creates a file in a folder, with the permissions of another file if that exists, otherwise
  /// with default permissions.
  init(in folder: String, like model: String) throws(Fault) {
    var status = stat()
    let isReplacing = stat(model, &status) == 0
    while true {
      let name = Self.prefix + Self.digits(UInt64.random(in: 0 ... .max)) + Self.suffix
      let path = "\(folder)/\(name)"
      let descriptor = open(
        path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, isReplacing ? 0o600 : 0o666)
      guard descriptor >= 0 else {
        if errno == EEXIST || errno == EINTR { continue }
        throw Fault(reason: String(cString: strerror(errno)))
      }
      // Another process may have removed the file as an abandoned one between the two calls.
      guard FileLock.take(descriptor) != .busy, FileLock.isNamed(descriptor, at: path) else {
        close(descriptor)
        continue
      }
      self.path = path
      self.descriptor = descriptor
      break
    }
    if isReplacing, !Self.copyRights(status, to: descriptor) {
      let reason = String(cString: strerror(errno))
      discard()
      throw Fault(reason: reason)
    }
  }

  deinit { discard() }

  /// Records that the file was moved.
  func isMoved() {
    isInPlace = false
    discard()
  }

  /// Closes the file, and deletes it unless it was moved.
  func discard() {
    guard descriptor >= 0 else { return }
    if isInPlace { unlink(path) }
    // Last, because this releases the lock. Errors no longer matter here.
    FileLock.release(descriptor)
    close(descriptor)
    descriptor = -1
  }

  /// Sets the owner, as far as permitted, and the mode of another file. If the owner cannot be set,
  /// nobody gets permissions through the new owner or group that the old file did not give.
  private static func copyRights(_ status: stat, to descriptor: Int32) -> Bool {
    var mode = status.st_mode & 0o7777
    if fchown(descriptor, status.st_uid, status.st_gid) != 0 {
      mode &= 0o777
      if fchown(descriptor, uid_t.max, status.st_gid) != 0 {
        mode = mode & 0o707 | (mode & (mode << 3) & 0o070)
      }
    }
    return fchmod(descriptor, mode) == 0
  }

  private static let prefix = ".twinflow-"
  private static let suffix = ".partial"

  private static func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }

  /// Whether a file name is one of this type's.
  static func isName(_ name: String) -> Bool {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
    let digits = name.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
    return digits.count == 16 && digits.allSatisfy { "0123456789abcdef".utf8.contains($0) }
  }

  /// Deletes the files whose writers no longer run. Files that cannot be listed, opened or locked
  /// are left for a later time or another user.
  static func removeAbandoned(in folder: String) {
    for name in (try? namesInFolder(folder)) ?? [] where isName(name) {
      let path = "\(folder)/\(name)"
      let flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
      var descriptor = open(path, O_RDWR | flags)
      if descriptor < 0 { descriptor = open(path, O_RDONLY | flags) }
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if FileLock.isRegular(descriptor), FileLock.take(descriptor) == .taken,
        FileLock.isNamed(descriptor, at: path)
      {
        unlink(path)
      }
    }
  }
}

/// Advisory locks that end with the process, however it ends.
enum FileLock {
  /// The result of trying to lock a file.
  enum Outcome {
    /// The lock is held.
    case taken
    /// Another holder has the lock.
    case busy
    /// The file system does not support locks.
    case unsupported
  }

  /// Locks a file without waiting, until it is closed.
  static func take(_ descriptor: Int32) -> Outcome {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: return .busy
      default: return .unsupported
      }
    }
    return .taken
  }

  /// Releases a lock. Closing alone would not release it while a child process that is just being
  /// started still has the descriptor.
  static func release(_ descriptor: Int32) { flock(descriptor, LOCK_UN) }

  /// Whether a path still names the open file of a descriptor.
  static func isNamed(_ descriptor: Int32, at path: String) -> Bool {
    var (mine, there) = (stat(), stat())
    return fstat(descriptor, &mine) == 0 && lstat(path, &there) == 0 && mine.st_nlink > 0
      && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino
  }

  /// Whether a descriptor is of a regular file.
  static func isRegular(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }
}
