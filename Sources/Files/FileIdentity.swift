import Foundation

/// The place that a path leads to once links are followed.
enum FilePath {
  /// The folder that a path's last part lies in.
  static func folder(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// A path whose last part is no symbolic link: that of the file, which need not be there yet.
  ///
  /// - Throws: `FileError.unwritable` where links lead in a circle or to a name that is not UTF-8.
  static func followingLinks(_ path: String) throws(FileError) -> String {
    var result = path
    for _ in 0..<40 {
      var text = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
      let count = text.withUnsafeMutableBytes {
        readlink(result, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
      guard count >= 0 else { return result }
      guard let target = String(validating: text[..<count], as: UTF8.self) else {
        throw .unwritable(path: path, reason: "it is a link to a name that is not UTF-8")
      }
      result = target.hasPrefix("/") ? target : "\(folder(result))/\(target)"
    }
    throw .unwritable(path: path, reason: String(cString: strerror(ELOOP)))
  }
}

/// The file that a path leads to, by which two paths to one file are known.
struct FileIdentity: Hashable {
  private let device: UInt
  private let number: UInt

  /// Finds a file, after links; nil where there is none.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt(status.st_dev)
    number = UInt(status.st_ino)
  }
}

/// A path with its last part's symbolic links followed: the place of the file that is written or
/// read, which need not be there yet.
///
/// - Throws: `FileError.unwritable` where links lead in a circle or to a name that is not UTF-8.
public func placeOfFile(_ path: String) throws(FileError) -> String {
  try FilePath.followingLinks(path)
}

/// Checks that a file that will be written is none of those that are read, whatever names and links
/// lead to them. A file that is not there yet is none of them.
///
/// - Throws: `FileError.replacesInput`.
public func checkOutput(_ output: String, replacesNoneOf inputs: [String]) throws(FileError) {
  guard let file = FileIdentity(output) else { return }
  if let input = inputs.first(where: { FileIdentity($0) == file }) {
    throw .replacesInput(output: output, input: input)
  }
}
