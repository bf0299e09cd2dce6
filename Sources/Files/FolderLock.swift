import Foundation

/// The right to write to a folder, which one object of one process has at a time.
///
/// It is an advisory lock on the folder's file `.lock`, which says who holds it. It ends with the
/// process, however that ends, or with the last reference.
public final class FolderLock: Sendable {
  /// Whether the folder is locked: false on a file system that has no locks.
  public let isHeld: Bool
  private let path: String
  private let descriptor: Int32

  /// Locks a folder that exists.
  ///
  /// - Throws: `FileError.locked` with who holds it, `otherKind` where the folder's `.lock` is
  ///   something else, `unwritable` where it cannot be made.
  public init(_ folder: String) throws(FileError) {
    let path = folder.isEmpty ? ".lock" : "\(folder)/.lock"
    func fail() -> FileError {
      .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
    var (file, outcome) = (Int32(-1), FileLock.Outcome.busy)
    repeat {
      // The file may be removed between the two calls: then there is another one.
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
      throw .unwritable(path: path, reason: "it is no file")
    }
    let holder = Self.holder(file)
    guard outcome != .busy else {
      throw .locked(path: folder, holder: holder ?? "a process that does not say its name")
    }
    guard status.st_size == 0 || holder != nil else {
      throw .otherKind(path: path, found: "something else", expected: "the lock of a folder")
    }
    if outcome == .taken {
      let text = Self.mark + "\(getpid()) on host \(Self.host) since \(Self.now)\n"
      guard ftruncate(file, 0) == 0, pwrite(file, text, text.utf8.count, 0) == text.utf8.count
      else { throw fail() }
    }
    isHeld = outcome == .taken
    self.path = path
    descriptor = file
    isKept = true
  }

  deinit {
    // Another process may have opened the file already: it notices that it has locked what is gone.
    if isHeld {
      unlink(path)
      FileLock.release(descriptor)
    }
    close(descriptor)
  }

  private static let mark = "process "

  /// The first line of a lock's file, nil where it is none of a lock.
  private static func holder(_ file: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 400)
    let count = pread(file, &bytes, bytes.count, 0)
    guard count > 0, let text = String(validating: bytes[..<count], as: UTF8.self),
      text.hasPrefix(mark), !text.utf8.contains(0)
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
