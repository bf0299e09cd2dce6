/// What can go wrong with a file as such.
public enum FileError: Error, Equatable, CustomStringConvertible {
  /// A file that comes with the program is in none of the places where it may be.
  case notFound(name: String, places: [String])
  /// A file cannot be read.
  case unreadable(path: String, reason: String)
  /// A file or folder cannot be written.
  case unwritable(path: String, reason: String)
  /// The file that would be replaced holds something of another kind.
  case otherKind(path: String, found: String, expected: String)
  /// The file that would be replaced is one that is read.
  case replacesInput(output: String, input: String)
  /// A folder is in use by another process; `holder` is the process as its lock describes it.
  case locked(path: String, holder: String)

  /// What was found and what to do.
  public var description: String {
    switch self {
    case .notFound(let name, let places):
      "\(name) was not found. These places were looked in:\n"
        + places.map { "  \($0)\n" }.joined()
        + "Name a file that is there, or set TWINFLOW_SHARE to the folder that holds the program's "
        + "Recipes and Assets."
    case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)."
    case .unwritable(let path, let reason):
      "\(path) cannot be written: \(reason). "
        + "Free the disk or its permissions, or choose another place."
    case .otherKind(let path, let found, let expected):
      "\(path) is not overwritten: it holds \(found), and would become \(expected). "
        + "Choose another name, or move it away."
    case .replacesInput(let output, let input):
      output == input
        ? "\(output) is read, so that it must not be replaced. Choose another name for the output."
        : "\(output) must not be replaced: it is the file \(input), which is read. "
          + "Choose another name for the output."
    case .locked(let path, let holder):
      "\(path) is in use by \(holder); wait for it, stop it or choose another output folder."
    }
  }
}
