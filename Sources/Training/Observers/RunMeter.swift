import Runtime

/// Measures the speed of the recent steps of a run.
struct RunMeter {
  private let batch: Int
  /// FLOPs of a step over the peak of the device, in seconds.
  private let leastSeconds: Double?
  private var ends: [ContinuousClock.Instant]
  private var waits: [Duration] = [.zero]

  /// The steps that count as recent.
  private static let window = 20

  /// - Parameters:
  ///   - batch: the samples of a step.
  ///   - facts: those with the FLOPs of a step and the peak, nil where they are not measured.
  init(batch: Int, facts: RunFacts?) {
    self.batch = batch
    ends = [.now]
    leastSeconds =
      if let flops = facts?.flops, let peak = facts?.peak { flops / peak } else { nil }
  }

  /// Adds a step whose metrics were read now.
  ///
  /// - Parameter wait: how long the devices waited for its data.
  /// - Returns: the speed of the recent steps.
  mutating func add(wait: Duration) -> RunSpeed {
    ends.append(.now)
    waits.append(wait)
    if ends.count > Self.window {
      ends.removeFirst()
      waits.removeFirst()
    }
    let span = ends.last! - ends.first!
    let seconds = max(span.seconds, 1e-9)
    let rate = Double(ends.count - 1) / seconds
    let waited = waits.dropFirst().reduce(.zero, +)
    return RunSpeed(
      stepsPerSecond: rate, imagesPerSecond: rate * Double(batch),
      peakShare: leastSeconds.map { $0 * rate }, dataWait: min(1, max(0, waited.seconds / seconds)))
  }

  /// Leaves out the time since the last step, in which the run was looked at.
  mutating func restart() {
    (ends, waits) = ([.now], [.zero])
  }
}
