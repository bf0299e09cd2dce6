import ArgumentParser
import Files

/// Reads a path of the command line: a `~` at its start is the home folder also where the shell
/// leaves it, as in `--output=~/run`; `./~` names a file `~`.
///
/// - Throws: `PathOptionError.empty`, as from a variable of the shell that is not set.
func pathOption(_ argument: String) throws -> String {
  guard !argument.isEmpty else { throw PathOptionError.empty }
  return expandedPath(argument)
}

/// What can be wrong with a path of the command line.
enum PathOptionError: Error, CustomStringConvertible {
  /// It has no characters.
  case empty

  /// What was found and what to do.
  var description: String {
    switch self {
    case .empty: "The path is empty: give a file or folder, as in ./name."
    }
  }
}
