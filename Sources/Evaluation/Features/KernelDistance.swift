import Datasets
import Runtime

/// The kernel distance between two sets of features: the unbiased squared maximum mean discrepancy with
/// the kernel `(x·y / d + 1)³` over d features, on average over subsets (Bińkowski and others, 2018).
public struct KernelDistance: Sendable, Equatable {
  /// The distance by each pair of subsets.
  public let perSubset: [Double]

  /// The mean over the subsets.
  public var mean: Double { perSubset.reduce(0, +) / Double(perSubset.count) }

  /// The standard deviation over the subsets, which are taken to be all that there are.
  public var deviation: Double {
    let mean = mean
    let variance = perSubset.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (variance / Double(perSubset.count)).squareRoot()
  }

  /// Measures sets by given pairs of subsets, each a list of numbers of vectors, at least two.
  ///
  /// - Throws: the plugin's errors.
  public init(
    _ first: FeatureSet, _ second: FeatureSet, subsets: [(first: [Int], second: [Int])],
    on engine: Engine
  ) throws {
    precondition(
      !subsets.isEmpty && subsets.allSatisfy { $0.first.count > 1 && $0.second.count > 1 },
      "subsets have at least two vectors")
    let products = InnerProducts(on: engine)
    perSubset = try subsets.map {
      try Self.distance(first.chosen($0.first), second.chosen($0.second), products)
    }
  }

  /// Measures sets by random pairs of subsets.
  ///
  /// - Parameters:
  ///   - count: the number of pairs.
  ///   - size: the number of vectors of a subset, at most that of a set.
  ///   - seed: the seed of the choice.
  /// - Throws: `EvaluationError.tooFewFeatures` for sets with a single vector, and the plugin's errors.
  public init(
    _ first: FeatureSet, _ second: FeatureSet, count: Int = 100, size: Int = 1000, seed: UInt64 = 0,
    on engine: Engine
  ) throws {
    let size = min(size, first.count, second.count)
    guard size > 1 else {
      throw EvaluationError.tooFewFeatures(found: min(first.count, second.count), needed: 2)
    }
    var random = SplitMix64(seed)
    func subset(of set: FeatureSet) -> [Int] {
      Array(Array(0..<set.count).shuffled(using: &random).prefix(size))
    }
    // A whole set has one subset.
    let isWhole = size == first.count && size == second.count
    let subsets = (0..<(isWhole ? 1 : count)).map { _ in
      (first: subset(of: first), second: subset(of: second))
    }
    try self.init(first, second, subsets: subsets, on: engine)
  }

  private static func distance(
    _ x: FeatureSet, _ y: FeatureSet, _ products: InnerProducts
  ) throws -> Double {
    let width = Double(x.width)
    func sum(_ a: FeatureSet, _ b: FeatureSet, withoutDiagonal: Bool) throws -> Double {
      var sum = 0.0
      try products.forEachRow(of: a, with: b) { row, products in
        for (column, product) in products.enumerated() where !withoutDiagonal || column != row {
          let base = product / width + 1
          sum += base * base * base
        }
      }
      return sum
    }
    let (m, n) = (Double(x.count), Double(y.count))
    return try sum(x, x, withoutDiagonal: true) / (m * (m - 1))
      + sum(y, y, withoutDiagonal: true) / (n * (n - 1))
      - 2 * sum(x, y, withoutDiagonal: false) / (m * n)
  }
}
