import Runtime
import Weights

extension Engine {
  /// The processes that write files together.
  package var writers: Writers {
    guard let group else { return Writers() }
    return Writers(rank: group.rank) { try group.meet($0) }
  }
}
