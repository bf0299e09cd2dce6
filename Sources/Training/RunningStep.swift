import Runtime
import Tensors

/// A step that was started and may still be running.
struct RunningStep {
  /// Its number, from 1.
  let step: Int
  let metrics: Named<ShardedArray>
  let function: CompiledFunction
  let started: ContinuousClock.Instant
  /// How long the devices waited for its data.
  let wait: Duration
  let completion: Completion
}

/// A step that has ended.
struct ReadStep {
  /// Its number, from 1.
  let step: Int
  let metrics: Named<Float>
  /// How long the devices waited for its data.
  let wait: Duration
}

/// The time that devices have waited between the end of a step and the start of the next.
struct DeviceWaiting {
  private var idle = Duration.zero
  private var total = Duration.zero
  private var end: ContinuousClock.Instant?

  /// Adds the next step.
  mutating func add(started: ContinuousClock.Instant, ended: ContinuousClock.Instant) {
    if let end {
      idle += max(.zero, started - end)
      total += ended - end
    }
    end = ended
  }

  /// The fraction of time spent waiting, nil before the second step.
  var share: Double? { total > .zero ? idle / total : nil }
}
