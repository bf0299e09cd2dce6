import Datasets
import Evaluation
import Flow
import Pipelines
import Runtime
import Training

/// Measures points: the sliced Wasserstein distance to real ones, and both ways which of them are near.
struct PointMetric: Metric {
  /// The set of points.
  let set: Points
  private let count: Int
  private let neighborhood: PointNeighborhood
  private let engine: Engine

  private static let realSeed: UInt64 = 1_000_003

  init(_ set: Points, count: Int, on engine: Engine) {
    (self.set, self.count, self.engine) = (set, count, engine)
    neighborhood = PointNeighborhood(
      real: set.sample(count, seed: Self.realSeed),
      others: set.sample(count, seed: Self.realSeed + 1))
  }

  var names: ComparisonReport.Names {
    ComparisonReport.Names(
      distance: "sliced Wasserstein distance",
      accuracy: "the fraction as near to a real point as 99 of 100 real ones are",
      precision: "the same fraction",
      recall: "the fraction of real points that are as near to a generated one",
      diversity: "the root mean square distance of two points")
  }

  var real: ComparisonReport.Real {
    let (first, second) = (sampled(0), sampled(1))
    return ComparisonReport.Real(
      distance: SlicedWasserstein.distance(first, second), diversity: Self.diversity(first))
  }

  var content: String { self.set.rawValue }

  private func sampled(_ number: UInt64) -> [Float] {
    set.sample(count, seed: Self.realSeed + number)
  }

  func check(_ recipe: TrainingRecipe, _ name: String) {}

  func measure(
    _ network: ComparedNetwork, steps: [Int], progress: @escaping () throws -> Void
  ) throws -> [ComparisonReport.Scores?] {
    let file = try ModelFile(network.weights, on: engine)
    return try steps.map { steps in
      try progress()
      let made = try points(file, file.card.sampler(steps), count: count).end
      guard made.allSatisfy(\.isFinite) else { return nil }
      let precision = neighborhood.precision(made)
      return ComparisonReport.Scores(
        distance: SlicedWasserstein.distance(made, sampled(0)), accuracy: precision,
        precision: precision, recall: neighborhood.recall(made), diversity: Self.diversity(made))
    }
  }

  /// The root of the mean square of the distances between points, x and y of each: that is twice the sum of
  /// the variances.
  private static func diversity(_ points: [Float]) -> Double {
    let count = Double(points.count / 2)
    var (sums, squares) = ([0.0, 0.0], 0.0)
    for (index, value) in points.enumerated() {
      sums[index % 2] += Double(value)
      squares += Double(value) * Double(value)
    }
    let square = (sums[0] * sums[0] + sums[1] * sums[1]) / count
    return (2 * (squares - square) / (count - 1)).squareRoot()
  }

  /// Generated points and the noise that they start from.
  func points(
    _ file: ModelFile, _ settings: SamplerSettings, count: Int
  ) throws -> (start: [Float], end: [Float]) {
    let generator = try Generator(file, batch: count, on: engine)
    let made = try generator(
      [Prompt](repeating: "", count: count), settings, guidance: file.card.guidance, seed: 0)
    let noise = try generator.noise(seed: 0)
    return (try noise.array(of: Float.self), try made.array(of: Float.self))
  }
}
