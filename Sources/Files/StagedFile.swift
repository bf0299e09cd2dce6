import Foundation

/// A file that appears whole or not at all, also when the power fails: it is written beside its
/// place, and takes it once all is on the disk.
public final class StagedFile {
  private let path: String
  private let temporary: String
  private var descriptor: Int32

  /// Opens the temporary file.
  public init(_ path: String) throws(FileError) {
    self.path = path
    temporary = "\(path).\(getpid()).partial"
    descriptor = -1
    var status = stat()
    // Renaming would put a file in the place of a device such as /dev/null.
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw .unwritable(path: path, reason: "it is no file")
    }
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure() }
  }

  deinit { discard() }

  /// Adds bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw failure()
      }
      done += count
    }
  }

  /// Waits until all is on the disk; afterwards only `commit` is left.
  public func finish() throws(FileError) {
    guard fsync(descriptor) == 0 else { throw failure() }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw failure() }
  }

  /// Puts the finished file in its place.
  public func commit() throws(FileError) {
    guard rename(temporary, path) == 0 else { throw failure() }
    // The new name is on the disk once the folder is; some file systems cannot say so.
    let folder = (path as NSString).deletingLastPathComponent
    let directory = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }

  /// Writes a file at once.
  ///
  /// - Throws: `FileError.unwritable`; a file that was there stays.
  public static func write(_ data: some ContiguousBytes, to path: String) throws {
    let file = try StagedFile(path)
    try data.withUnsafeBytes { try file.write($0) }
    try file.finish()
    try file.commit()
  }

  private func failure() -> FileError {
    let reason = String(cString: strerror(errno))
    discard()
    return .unwritable(path: path, reason: reason)
  }

  private func discard() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    unlink(temporary)
  }
}
