import Datasets

/// Intervals of figures by resampling prompts with replacement (Efron, 1979).
struct Bootstrap {
  /// For each sample the numbers of prompts.
  private let samples: [[Int]]

  /// Draws prompts.
  ///
  /// - Parameters:
  ///   - count: the number of prompts.
  ///   - samples: the number of samples.
  init(_ count: Int, samples: Int = 1000) {
    var random = SplitMix64(0)
    self.samples = (0..<samples).map { _ in
      (0..<count).map { _ in Int.random(in: 0..<count, using: &random) }
    }
  }

  /// What prompts add to a fraction.
  struct Share {
    var sum = 0.0
    var count = 0.0

    static func + (a: Share, b: Share) -> Share {
      Share(sum: a.sum + b.sum, count: a.count + b.count)
    }
    /// The fraction, nil of nothing.
    var value: Double? { count == 0 ? nil : sum / count }
  }

  /// The interval of the mean of several fractions.
  ///
  /// - Parameter parts: for each fraction what each prompt adds to it.
  func interval(ofMeanOf parts: [[Share]]) -> (low: Double, high: Double)? {
    interval { sample in
      let fractions = parts.compactMap { shares -> Double? in
        var total = Share()
        for number in sample { total = total + shares[number] }
        return total.value
      }
      return fractions.isEmpty ? nil : fractions.reduce(0, +) / Double(fractions.count)
    }
  }

  /// The interval of any figure of the prompts with some numbers, which may occur several times; nil where
  /// it cannot be computed.
  func interval(_ figure: ([Int]) -> Double?) -> (low: Double, high: Double)? {
    let values = samples.compactMap(figure).sorted()
    guard values.count > 1 else { return nil }
    func quantile(_ fraction: Double) -> Double {
      let place = fraction * Double(values.count - 1)
      let below = Int(place)
      let above = min(below + 1, values.count - 1)
      return values[below] + (place - Double(below)) * (values[above] - values[below])
    }
    return (quantile(0.025), quantile(0.975))
  }
}

extension BenchmarkScores.Figure {
  /// A fraction with its interval.
  init?(_ name: String, _ shares: [Bootstrap.Share], _ bootstrap: Bootstrap) {
    self.init(name, meanOf: [shares], bootstrap)
  }

  /// The mean of several fractions with its interval.
  init?(_ name: String, meanOf parts: [[Bootstrap.Share]], _ bootstrap: Bootstrap) {
    let totals = parts.map { $0.reduce(Bootstrap.Share(), +) }
    let values = totals.compactMap(\.value)
    guard !values.isEmpty else { return nil }
    let interval = bootstrap.interval(ofMeanOf: parts)
    self.init(
      name: name, value: values.reduce(0, +) / Double(values.count), low: interval?.low,
      high: interval?.high, count: Int(totals.reduce(0) { $0 + $1.count }))
  }
}
