import ArgumentParser
import Files

/// Reads a path of the command line. A leading `~` is expanded also where the shell does not, as in
/// `--output=~/run`; `./~` names a file `~`.
///
/// - Throws: `PathOptionError.empty`, as for a shell variable that is not set.
func pathOption(_ argument: String) throws -> String {
  guard !argument.isEmpty else { throw PathOptionError.empty }
  return expandedPath(argument)
}

/// What can be wrong with a path of the command line.
enum PathOptionError: Error, CustomStringConvertible {
  /// The path is empty.
  case empty

  /// What was found and what to do.
  var description: String {
    switch self {
    case .empty: "The path is empty: give a file or folder, as in ./name."
    }
  }
}
