import Foundation

/// Paths with symbolic links resolved.
enum FilePath {
  /// The parent folder of a path.
  static func folder(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The path of a file, with symbolic links of its last component resolved; the file need not
  /// exist.
  ///
  /// - Throws: `FileError.unwritable` where links form a cycle or lead to a name that is not UTF-8.
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

/// The identity of a file, to recognize different paths to the same file.
struct FileIdentity: Hashable {
  private let device: UInt
  private let number: UInt

  /// Finds a file, following links; nil where there is none.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt(status.st_dev)
    number = UInt(status.st_ino)
  }
}

/// The path of a file, with symbolic links of its last component resolved; the file need not exist.
///
/// - Throws: `FileError.unwritable` where links form a cycle or lead to a name that is not UTF-8.
public func placeOfFile(_ path: String) throws(FileError) -> String {
  try FilePath.followingLinks(path)
}

/// Checks that an output file is none of the input files, including by other names and links.
///
/// - Throws: `FileError.replacesInput`.
public func checkOutput(_ output: String, replacesNoneOf inputs: [String]) throws(FileError) {
  guard let file = FileIdentity(output) else { return }
  if let input = inputs.first(where: { FileIdentity($0) == file }) {
    throw .replacesInput(output: output, input: input)
  }
}
