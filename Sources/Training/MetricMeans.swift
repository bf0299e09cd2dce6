import Tensors

/// The means of a run's metrics over the steps since the last checkpoint, by which checkpoints are
/// compared.
struct MetricMeans {
  private var sums: [String: (sum: Double, count: Int)] = [:]
  private var single: [String: Double] = [:]

  /// Adds the metrics of a step.
  mutating func add(_ metrics: Named<Float>) {
    for (name, value) in metrics.pairs {
      let old = sums[name, default: (0, 0)]
      sums[name] = (old.sum + Double(value), old.count + 1)
    }
  }

  /// Sets a metric that is measured once, such as that of an evaluation; it replaces a mean of the name.
  mutating func set(_ name: String, to value: Double) { single[name] = value }

  /// The means of metrics of at least so many steps, and the metrics that were measured once.
  func values(ofAtLeast steps: Int) -> [String: Double] {
    sums.filter { $0.value.count >= steps }.mapValues { $0.sum / Double($0.count) }
      .merging(single) { $1 }
  }

  /// The names of all metrics so far.
  var names: Set<String> { Set(sums.keys).union(single.keys) }
}
