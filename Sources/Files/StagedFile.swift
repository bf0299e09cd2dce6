import Foundation

/// An atomically written file, also in a power failure: it is written to a temporary file in the
/// same folder, which is renamed once it is on disk.
///
/// A replaced file keeps its permissions, and a symbolic link is kept: its target is replaced. The
/// temporary file is locked as long as its writer lives; temporary files of killed writers are
/// removed with the next file that is written to the folder.
public final class StagedFile {
  private let path: String
  private let place: String
  private let kind: FileKind
  private let temporary: TemporaryFile
  private var isFinished = false

  /// Opens the temporary file.
  ///
  /// - Parameter kind: the kind of the file; only a file of the same kind is replaced.
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else.
  public init(_ path: String, as kind: FileKind) throws(FileError) {
    self.path = path
    self.kind = kind
    place = try FilePath.followingLinks(path)
    guard !place.isEmpty, !place.hasSuffix("/") else {
      throw .unwritable(path: path, reason: "it does not name a file")
    }
    try kind.checkReplaceable(place)
    let folder = FilePath.folder(place)
    Self.removeAbandoned(in: folder)
    do {
      temporary = try TemporaryFile(in: folder, like: place)
    } catch {
      throw .unwritable(path: path, reason: error.reason)
    }
  }

  /// Appends bytes.
  ///
  /// - Throws: `FileError.unwritable`; the temporary file is then removed.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(
        temporary.descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw failure()
      }
      done += count
    }
  }

  /// Waits until all bytes are on disk; afterwards only `commit` may be called.
  ///
  /// - Throws: `FileError.unwritable`; the temporary file is then removed.
  public func finish() throws(FileError) {
    guard fsync(temporary.descriptor) == 0 else { throw failure() }
    isFinished = true
  }

  /// Moves the finished file to its path.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else
  ///   meanwhile.
  public func commit() throws(FileError) {
    precondition(isFinished, "a file is committed before it is finished")
    try kind.checkReplaceable(place)
    guard rename(temporary.path, place) == 0 else { throw failure() }
    temporary.isMoved()
    try Self.settle(FilePath.folder(place), for: path)
  }

  /// Writes a file, atomically.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else; an
  ///   existing file is then kept.
  public static func write(
    _ data: some ContiguousBytes, to path: String, as kind: FileKind
  ) throws {
    let file = try StagedFile(path, as: kind)
    try data.withUnsafeBytes { try file.write($0) }
    try file.finish()
    try file.commit()
  }

  /// Deletes the temporary files of writers that no longer run. Those of running writers, of this
  /// process and of others, are kept.
  public static func removeAbandoned(in folder: String) {
    TemporaryFile.removeAbandoned(in: folder)
  }

  /// Waits until a folder's entries are on disk. File systems that do not support this, and folders
  /// that are writable but not readable, are ignored.
  static func settle(_ folder: String, for path: String) throws(FileError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if fsync(descriptor) != 0, [EIO, ENOSPC, EDQUOT].contains(errno) {
      throw .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  private func failure() -> FileError {
    let reason = String(cString: strerror(errno))
    temporary.discard()
    return .unwritable(path: path, reason: reason)
  }
}
