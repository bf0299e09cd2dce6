import Foundation

/// Copies of folders.
public enum FolderCopy {
  /// Copies the files of a folder and of those in it; links become what they lead to, and names that begin
  /// with a dot are passed over.
  ///
  /// - Parameters:
  ///   - target: an existing folder.
  ///   - left: files and folders that are not copied, see `canonical`.
  /// - Throws: `FileError.unreadable` for a link to a file that is not there, and `unwritable`.
  public static func copy(
    _ source: String, to target: String, without left: Set<String> = []
  ) throws {
    for name in try namesInFolder(source) where !name.hasPrefix(".") {
      let (from, to) = (canonical("\(source)/\(name)"), "\(target)/\(name)")
      guard !left.contains(from) else { continue }
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: from, isDirectory: &isFolder) else {
        throw FileError.unreadable(
          path: "\(source)/\(name)", reason: "it is a link to a file that is not there")
      }
      do {
        if isFolder.boolValue {
          try FileManager.default.createDirectory(
            atPath: to, withIntermediateDirectories: false)
          try copy(from, to: to, without: left)
        } else {
          try FileManager.default.copyItem(atPath: from, toPath: to)
        }
      } catch let error as CocoaError {
        throw FileError.unwritable(path: to, reason: error.localizedDescription)
      }
    }
  }

  /// The path of a file with all links followed.
  public static func canonical(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }
}
