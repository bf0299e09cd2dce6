import Files
import Foundation
import PJRT

/// Hashes of large files, remembered by path, size and time of change, so that a file is read once.
public struct HashCache: Sendable {
  private let path: String

  /// Makes a cache in a folder; for nil in the program's cache folder.
  public init(directory: String? = nil) {
    path = (directory ?? cacheDirectory()) + "/hashes.json"
  }

  private struct Entry: Codable {
    let size: Int
    let seconds: Int
    let nanoseconds: Int
    let hash: String
  }

  /// The hash of a file's content, see `ContentHash`.
  ///
  /// A cache that cannot be read or written costs time, and is no error.
  ///
  /// - Throws: `FileError.unreadable` for the file.
  public func hash(of file: String) throws -> String {
    let place = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
    var status = stat()
    guard stat(place, &status) == 0 else {
      throw FileError.unreadable(path: file, reason: String(cString: strerror(errno)))
    }
    var entries = entries
    let (size, changed) = (Int(status.st_size), status.st_mtim)
    if let entry = entries[place], entry.size == size, entry.seconds == changed.tv_sec,
      entry.nanoseconds == changed.tv_nsec
    {
      return entry.hash
    }
    let hash = try ContentHash.ofFile(file)
    // Reading a small file again is faster than looking it up.
    guard size > 1 << 24 else { return hash }
    entries[place] = Entry(
      size: size, seconds: changed.tv_sec, nanoseconds: changed.tv_nsec, hash: hash)
    try? JSONFile.write(entries, to: path)
    return hash
  }

  /// The hash of several files, one after the other.
  ///
  /// - Throws: `FileError.unreadable`.
  public func hash(ofAll files: [String]) throws -> String {
    let hash = ContentHash()
    for file in files { hash.add(try self.hash(of: file)) }
    return hash.text
  }

  private var entries: [String: Entry] {
    FileManager.default.contents(atPath: path)
      .flatMap { try? JSONDecoder().decode([String: Entry].self, from: $0) } ?? [:]
  }
}
