import CFiles
import Foundation

/// A read-only memory-mapped file, unmapped with the last reference.
///
/// If another program truncates the file, reading the missing bytes ends the process with status 74
/// and a message that names the file.
///
/// `@unchecked Sendable`: nothing changes after `init`, and the memory is only read.
public final class MappedFile: @unchecked Sendable {
  /// The file's bytes.
  public let bytes: UnsafeRawBufferPointer
  private let slot: Int32
  /// Whether the bytes are those of a file, which can be read again.
  private let isFile: Bool

  /// Maps a file.
  ///
  /// - Throws: `FileError.unreadable`.
  public init(_ path: String) throws(FileError) {
    func fail() -> FileError {
      .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    isFile = true
    // Without O_NONBLOCK opening a pipe would block.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw fail() }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw fail() }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: path, reason: "it is not a regular file")
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

  /// A copy of a file's bytes, for small files.
  ///
  /// - Throws: `FileError.unreadable`.
  public static func data(_ path: String) throws(FileError) -> Data {
    let file = try MappedFile(path)
    return withExtendedLifetime(file) { Data(file.bytes) }
  }

  /// Makes memory that is not in a file, such as what was read in another order.
  ///
  /// - Parameter body: fills the memory, which is zeros.
  public init(size: Int, filledBy body: (UnsafeMutableRawBufferPointer) -> Void) {
    (slot, isFile) = (-1, false)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { preconditionFailure("out of memory") }
    body(UnsafeMutableRawBufferPointer(start: memory, count: size))
    bytes = UnsafeRawBufferPointer(start: memory, count: size)
  }

  deinit {
    if let start = bytes.baseAddress {
      cfiles_forget(slot)
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }

  /// Begins to read some bytes from disk, without waiting for them.
  public func prefetch(_ range: UnsafeRawBufferPointer) {
    let page = Int(getpagesize())
    guard let start = range.baseAddress.map({ Int(bitPattern: $0) }) else { return }
    // Linux may read no more than its read-ahead of each request, which is at least 128 KiB.
    for place in stride(from: start / page * page, to: start + range.count, by: 128 << 10) {
      guard let address = UnsafeMutableRawPointer(bitPattern: place) else { return }
      madvise(address, min(128 << 10, start + range.count - place), MADV_WILLNEED)
    }
  }

  /// Releases the memory of some bytes; they are read from disk again on the next access.
  public func release(_ range: UnsafeRawBufferPointer) {
    let page = Int(getpagesize())
    guard isFile, let start = range.baseAddress.map({ Int(bitPattern: $0) }) else { return }
    // The pages that are completely within the range.
    let first = (start + page - 1) / page * page
    let end = (start + range.count) / page * page
    guard end > first, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    madvise(address, end - first, MADV_DONTNEED)
  }
}
