import Runtime
import Synchronization
import Tensors

/// The weights that a component reads, which change from step to step of a run.
package final class PresentWeights: Sendable {
  private let weights = Mutex(Named<ShardedArray>())

  /// Holds no weights.
  package init() {}

  /// Replaces the weights; without an argument they are released.
  package func set(_ weights: Named<ShardedArray> = Named()) {
    self.weights.withLock { $0 = weights }
  }

  /// The weights.
  package func get() -> Named<ShardedArray> { weights.withLock { $0 } }
}
