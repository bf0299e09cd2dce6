import Foundation

/// An exclusive lock on a folder.
///
/// It is an advisory lock on the file `.lock` in the folder, which names the holder. It is released
/// with the last reference, or when the process ends for any reason.
public final class FolderLock: Sendable {
  /// Whether the lock is held: false on a file system without locks.
  public let isHeld: Bool
  private let path: String
  private let descriptor: Int32

  /// Locks an existing folder.
  ///
  /// - Throws: `FileError.locked` with the holder, `otherKind` where `.lock` is something else,
  ///   `unwritable` where it cannot be created.
  public init(_ folder: String) throws(FileError) {
    let path = folder.isEmpty ? ".lock" : "\(folder)/.lock"
    func fail() -> FileError {
      .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
    var (file, outcome) = (Int32(-1), FileLock.Outcome.busy)
    repeat {
      // Repeats where the file was removed between the two calls.
      if file >= 0 { close(file) }
      file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
      guard file >= 0 else { throw fail() }
      outcome = FileLock.take(file)
    } while outcome == .taken && !FileLock.isNamed(file, at: path)
    var isKept = false
    defer { if !isKept { close(file) } }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw fail() }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .unwritable(path: path, reason: "it is not a regular file")
    }
    let holder = Self.holder(file)
    guard outcome != .busy else {
      throw .locked(path: folder, holder: holder ?? "an unknown process")
    }
    guard status.st_size == 0 || holder != nil else {
      throw .otherKind(path: path, found: "something else", expected: "the lock of a folder")
    }
    if outcome == .taken {
      let text = Self.prefix + "\(getpid()) on host \(Self.host) since \(Self.now)\n"
      guard ftruncate(file, 0) == 0, pwrite(file, text, text.utf8.count, 0) == text.utf8.count
      else { throw fail() }
    }
    isHeld = outcome == .taken
    self.path = path
    descriptor = file
    isKept = true
  }

  deinit {
    // A process that has opened the file meanwhile notices that it was removed.
    if isHeld {
      unlink(path)
      FileLock.release(descriptor)
    }
    close(descriptor)
  }

  /// The process that has locked a folder, as in `process 12 on host a since …`; nil where none has,
  /// as far as the file system tells.
  public static func holder(of folder: String) -> String? {
    let path = folder.isEmpty ? ".lock" : "\(folder)/.lock"
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    switch FileLock.take(file) {
    case .busy: return holder(file) ?? "an unknown process"
    case .taken:
      FileLock.release(file)
      return nil
    case .unsupported: return nil
    }
  }

  private static let prefix = "process "

  /// The first line of a lock file, nil where it is not one.
  private static func holder(_ file: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 400)
    let count = pread(file, &bytes, bytes.count, 0)
    guard count > 0, let text = String(validating: bytes[..<count], as: UTF8.self),
      text.hasPrefix(prefix), !text.utf8.contains(0)
    else { return nil }
    return String(text.prefix { $0 != "\n" })
  }

  private static var host: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "without a name" }
    return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static var now: String { Date().formatted(.iso8601) }
}
