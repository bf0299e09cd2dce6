/// What can go wrong with a file as such.
public enum FileError: Error, Equatable, CustomStringConvertible {
  /// A file cannot be read.
  case unreadable(path: String, reason: String)
  /// A file or folder cannot be written.
  case unwritable(path: String, reason: String)

  /// What was found and what to do.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)."
    case .unwritable(let path, let reason):
      "\(path) cannot be written: \(reason). "
        + "Free the disk or its permissions, or choose another place."
    }
  }
}
