import Foundation
import Synchronization

/// A file without a name for data that need not survive the process; the system frees it when the last
/// reference is gone, however the process ends.
public final class ScratchFile: Sendable {
  private let descriptor: Int32
  private let folder: String
  private let end = Mutex(0)

  /// Makes an empty file in a folder.
  ///
  /// - Throws: `FileError.unwritable`.
  public init(in folder: String) throws(FileError) {
    self.folder = folder
    do {
      let named = try TemporaryFile(in: folder, like: "")
      descriptor = dup(named.descriptor)
      // Its name is deleted with the temporary file.
      named.discard()
    } catch {
      throw .unwritable(path: folder, reason: error.reason)
    }
    guard descriptor >= 0 else {
      throw .unwritable(path: folder, reason: String(cString: strerror(errno)))
    }
  }

  deinit { close(descriptor) }

  /// Appends bytes.
  ///
  /// - Returns: where they are.
  /// - Throws: `FileError.unwritable`, as on a full disk.
  public func append(_ bytes: some Collection<UInt8>) throws(FileError) -> Range<Int> {
    let bytes = Array(bytes)
    let start = end.withLock { end in
      defer { end += bytes.count }
      return end
    }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(start + done))
      }
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        throw .unwritable(path: folder, reason: String(cString: strerror(errno)))
      }
      done += count
    }
    return start..<start + bytes.count
  }

  /// The bytes at a place.
  ///
  /// - Throws: `FileError.unreadable`.
  public func bytes(_ place: Range<Int>) throws(FileError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: place.count)
    var done = 0
    while done < place.count {
      let count = result.withUnsafeMutableBytes {
        pread(
          descriptor, $0.baseAddress! + done, place.count - done, off_t(place.lowerBound + done))
      }
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        let reason = count < 0 ? String(cString: strerror(errno)) : "it ends too early"
        throw .unreadable(path: "the scratch file of \(folder)", reason: reason)
      }
      done += count
    }
    return result
  }
}
