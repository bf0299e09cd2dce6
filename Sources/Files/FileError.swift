/// What can go wrong with a file.
public enum FileError: Error, Equatable, CustomStringConvertible {
  /// A file that is installed with the program was not found.
  case notFound(name: String, places: [String])
  /// A file cannot be read.
  case unreadable(path: String, reason: String)
  /// A file or folder cannot be written.
  case unwritable(path: String, reason: String)
  /// The file to be replaced holds something else.
  case otherKind(path: String, found: String, expected: String)
  /// The file to be replaced is an input.
  case replacesInput(output: String, input: String)
  /// What is to be written is there already.
  case exists(path: String)
  /// A folder is in use by another process, described by its lock.
  case locked(path: String, holder: String)

  /// What was found and what to do.
  public var description: String {
    switch self {
    case .notFound(let name, let places):
      "\(name) was not found. It was searched for at:\n"
        + places.map { "  \($0)\n" }.joined()
        + "Name an existing file, or set TWINFLOW_SHARE to the folder with the program's Recipes "
        + "and Assets."
    case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)."
    case .unwritable(let path, let reason):
      "\(path) cannot be written: \(reason). "
        + "Check the disk space and permissions, or choose another place."
    case .otherKind(let path, let found, let expected):
      "\(path) is not overwritten: it holds \(found), not \(expected). "
        + "Choose another name, or move it away."
    case .replacesInput(let output, let input):
      output == input
        ? "\(output) is an input and must not be replaced. Choose another name for the output."
        : "\(output) must not be replaced: it is the same file as the input \(input). "
          + "Choose another name for the output."
    case .exists(let path): "\(path) is there already and is not replaced. Choose another name."
    case .locked(let path, let holder):
      "\(path) is in use by \(holder); wait for it, stop it or choose another output folder."
    }
  }
}
