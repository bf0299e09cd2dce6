import CFiles
import Foundation

/// A file in memory as the system maps it, read-only; unmapped with the last reference.
///
/// Where another program cuts the file short meanwhile, reading what is gone ends the process with
/// status 74 and a message that names the file.
///
/// Sendable: nothing changes after `init`, and the memory is only read.
public final class MappedFile: @unchecked Sendable {
  /// The file's bytes.
  public let bytes: UnsafeRawBufferPointer
  private let slot: Int32

  /// Maps a file.
  ///
  /// - Throws: `FileError.unreadable`.
  public init(_ path: String) throws(FileError) {
    func fail() -> FileError {
      .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    // Without O_NONBLOCK a pipe would be waited for.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw fail() }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw fail() }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: path, reason: "it is no file")
    }
    guard status.st_size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      slot = -1
      return
    }
    let size = Int(status.st_size)
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), start != MAP_FAILED else {
      throw fail()
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
    slot = cfiles_remember(start, size, path)
  }

  deinit {
    if let start = bytes.baseAddress {
      cfiles_forget(slot)
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }

  /// Lets the system take the memory of some bytes back; they are read from the disk again when they
  /// are looked at again.
  public func release(_ part: UnsafeRawBufferPointer) {
    let page = Int(getpagesize())
    guard let start = part.baseAddress.map({ Int(bitPattern: $0) }) else { return }
    // Pages that the part has to itself.
    let first = (start + page - 1) / page * page
    let end = (start + part.count) / page * page
    guard end > first, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    madvise(address, end - first, MADV_DONTNEED)
  }
}
