import Foundation

/// The names of the entries of a folder, sorted.
///
/// Names that are not UTF-8 are omitted, because a string could not identify their files.
///
/// - Throws: `FileError.unreadable`.
public func namesInFolder(_ path: String) throws(FileError) -> [String] {
  func fail() -> FileError { .unreadable(path: path, reason: String(cString: strerror(errno))) }
  guard let folder = opendir(path) else { throw fail() }
  defer { closedir(folder) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(folder) else {
      guard errno == 0 else { throw fail() }
      return names.sorted()
    }
    let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
    let text = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
    if let name = String(validatingCString: text), name != ".", name != ".." {
      names.append(name)
    }
  }
}
