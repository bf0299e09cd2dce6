import Foundation

/// A file that appears whole or not at all, also when the power fails: it is written beside its
/// place, and takes it once all is on the disk.
///
/// A file that is replaced keeps its rights, and a symbolic link stays one: what it leads to is
/// replaced. The temporary file is locked for as long as its writer lives; what writers that were
/// killed have left in the folder goes with the next file that is written there.
public final class StagedFile {
  private let path: String
  private let place: String
  private let kind: FileKind
  private let temporary: TemporaryFile
  private var isFinished = false

  /// Opens the temporary file.
  ///
  /// - Parameter kind: what will be written; only a file of the same kind is replaced.
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else.
  public init(_ path: String, as kind: FileKind) throws(FileError) {
    self.path = path
    self.kind = kind
    place = try FilePath.followingLinks(path)
    guard !place.isEmpty, !place.hasSuffix("/") else {
      throw .unwritable(path: path, reason: "it names no file")
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

  /// Adds bytes.
  ///
  /// - Throws: `FileError.unwritable`; the temporary file is then gone.
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

  /// Waits until all is on the disk; afterwards only `commit` is left.
  ///
  /// - Throws: `FileError.unwritable`; the temporary file is then gone.
  public func finish() throws(FileError) {
    guard fsync(temporary.descriptor) == 0 else { throw failure() }
    isFinished = true
  }

  /// Puts the finished file in its place.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where something else has come there meanwhile.
  public func commit() throws(FileError) {
    precondition(isFinished, "a file is put in its place before it is finished")
    try kind.checkReplaceable(place)
    guard rename(temporary.path, place) == 0 else { throw failure() }
    temporary.isMoved()
    try Self.settle(FilePath.folder(place), for: path)
  }

  /// Writes a file at once.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something else; a file
  ///   that was there stays.
  public static func write(
    _ data: some ContiguousBytes, to path: String, as kind: FileKind
  ) throws {
    let file = try StagedFile(path, as: kind)
    try data.withUnsafeBytes { try file.write($0) }
    try file.finish()
    try file.commit()
  }

  /// Deletes the temporary files that writers which are gone have left in a folder. Those of writers
  /// that live, of this process and of others, stay, and so does everything else.
  public static func removeAbandoned(in folder: String) {
    TemporaryFile.removeAbandoned(in: folder)
  }

  /// Waits until a folder's names are on the disk. File systems that cannot say so, and folders that
  /// may be written but not read, are taken for done.
  private static func settle(_ folder: String, for path: String) throws(FileError) {
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
