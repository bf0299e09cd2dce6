import Runtime

/// What is measured of a set of pictures by their features. A figure is nil where there is too little to
/// measure it.
public struct PictureMeasures: Codable, Hashable, Sendable {
  /// The fraction of the pictures that are nearer to their own real picture than to any other.
  public var top1: Double?
  /// The fraction of the pictures whose own real picture is among the five nearest.
  public var top5: Double?
  /// The Fréchet distance to the real pictures, see `FeatureSet.frechetDistance`.
  public var frechetDistance: Double?
  /// The kernel distance to the real pictures, over all of both, see `KernelDistance`.
  public var kernelDistance: Double?
  /// The fraction of the pictures within the neighborhood of a real one, see `Neighborhoods`.
  public var precision: Double?
  /// The fraction of the real pictures within the neighborhood of one.
  public var recall: Double?
  /// The mean number of neighborhoods of real pictures that one lies in, over their size.
  public var density: Double?
  /// The fraction of the real pictures whose neighborhood has one.
  public var coverage: Double?
  /// The mean distance between pictures of one prompt, see `Diversity`; for real pictures between all of
  /// them.
  public var diversity: Double?

  /// The number of neighbors that make a neighborhood.
  public static let neighbors = 5

  /// The figures that were measured, by their names in the log of a run.
  public var named: [(name: String, value: Double)] {
    let all = [
      ("retrieval_top_1", top1), ("retrieval_top_5", top5), ("frechet_distance", frechetDistance),
      ("kernel_distance", kernelDistance), ("precision", precision), ("recall", recall),
      ("density", density), ("coverage", coverage), ("diversity", diversity),
    ]
    return all.compactMap { name, value in value.map { (name, $0) } }
  }

  /// Makes measures without figures.
  public init() {}

  /// Compares a set of pictures with real ones.
  mutating func compare(_ pictures: FeatureSet, to real: FeatureSet, on engine: Engine) throws {
    guard pictures.count > 1, real.count > 1 else { return }
    frechetDistance = try pictures.frechetDistance(to: real, on: engine)
    try compareKernels(pictures, to: real, on: engine)
    try measureNeighborhoods(pictures, of: real, on: engine)
  }

  /// Measures the kernel distance over all pictures of both sets, which have two each.
  mutating func compareKernels(
    _ pictures: FeatureSet, to real: FeatureSet, on engine: Engine
  ) throws {
    kernelDistance = try KernelDistance(
      real, pictures,
      subsets: [(first: Array(0..<real.count), second: Array(0..<pictures.count))], on: engine
    ).mean
  }

  /// Measures how well pictures cover real ones; nothing for sets of no more than `neighbors`.
  ///
  /// - Throws: the plugin's errors.
  public mutating func measureNeighborhoods(
    _ pictures: FeatureSet, of real: FeatureSet, on engine: Engine
  ) throws {
    guard pictures.count > Self.neighbors, real.count > Self.neighbors else { return }
    let found = try Neighborhoods(
      real: real, generated: pictures, nearest: Self.neighbors, on: engine)
    (precision, recall) = (found.precision, found.recall)
    (density, coverage) = (found.density, found.coverage)
  }

  /// Looks pictures up among all real ones.
  ///
  /// - Parameter own: the number of each picture's own one, nil for pictures without.
  mutating func retrieve(
    _ pictures: FeatureSet, own: [Int?], among real: FeatureSet, on engine: Engine
  ) throws {
    let known = own.indices.filter { own[$0] != nil }
    guard !known.isEmpty, real.count > 1 else { return }
    let found = try Retrieval(
      pictures.chosen(known), wanted: known.map { own[$0]! }, in: real, on: engine)
    (top1, top5) = (found.top(1), found.top(5))
  }
}
