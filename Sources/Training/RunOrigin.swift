import Files
import Foundation
import Weights

/// The version of this program, which runs and reports name.
public let programVersion = "0.2.0"

/// What the result of a run depends on beside its recipe, and who made it.
struct RunOrigin: Codable, Equatable {
  /// The hash of the data's content.
  var data: String
  /// The hash of the weights that the run started from, nil for fresh ones.
  var start: String?
  /// The version of the program.
  var version = programVersion
  /// The command that made the run.
  var command: String
}

extension WeightFiles {
  /// The hash of the content of all files, one after the other.
  ///
  /// - Throws: `FileError.unreadable`, and the errors of opening them.
  package static func contentHash(_ path: String) throws -> String {
    let hash = ContentHash()
    for path in try WeightFiles(path: path).paths { hash.add(try ContentHash.ofFile(path)) }
    return hash.text
  }
}
