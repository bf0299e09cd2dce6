import Runtime

/// How well a set of generated pictures covers a set of real ones, by the k nearest neighbors of each:
/// precision and recall (Kynkäänniemi and others, 2019), density and coverage (Naeem and others, 2020).
public struct Neighborhoods: Sendable, Equatable {
  /// The fraction of generated pictures within the neighborhood of a real one.
  public let precision: Double
  /// The fraction of real pictures within the neighborhood of a generated one.
  public let recall: Double
  /// The number of neighborhoods of real pictures that a generated one lies in, on average, over k.
  public let density: Double
  /// The fraction of real pictures whose neighborhood has a generated one.
  public let coverage: Double

  /// Measures generated pictures.
  ///
  /// - Parameters:
  ///   - nearest: k: the neighborhood of a picture reaches to its k-th neighbor in its own set.
  ///   - includesBorder: whether a neighborhood holds what is exactly as far as that neighbor, as
  ///     torch-fidelity has it; the package prdc has not.
  /// - Throws: `EvaluationError.tooFewFeatures` for sets with k vectors or fewer, and the plugin's errors.
  public init(
    real: FeatureSet, generated: FeatureSet, nearest: Int, includesBorder: Bool = false,
    on engine: Engine
  ) throws {
    for set in [real, generated] where set.count <= nearest {
      throw EvaluationError.tooFewFeatures(found: set.count, needed: nearest + 1)
    }
    let products = InnerProducts(on: engine)
    let (realSquares, squares) = (real.squares, generated.squares)
    let realRadii = try Self.radii(real, realSquares, nearest, products)
    let radii = try Self.radii(generated, squares, nearest, products)
    let holds = { (distance: Double, radius: Double) in
      includesBorder ? distance <= radius : distance < radius
    }
    var held = [Int](repeating: 0, count: generated.count)
    var (recalled, covered) = (0, 0)
    try products.forEachRow(of: real, with: generated) { row, products in
      var (isRecalled, isCovered) = (false, false)
      for (column, product) in products.enumerated() {
        let distance = max(0, realSquares[row] + squares[column] - 2 * product)
        if holds(distance, realRadii[row]) {
          held[column] += 1
          isCovered = true
        }
        if holds(distance, radii[column]) { isRecalled = true }
      }
      recalled += isRecalled ? 1 : 0
      covered += isCovered ? 1 : 0
    }
    precision = Double(held.count { $0 > 0 }) / Double(generated.count)
    recall = Double(recalled) / Double(real.count)
    density = Double(held.reduce(0, +)) / Double(nearest * generated.count)
    coverage = Double(covered) / Double(real.count)
  }

  /// The squared distances of vectors to their k-th neighbor.
  private static func radii(
    _ set: FeatureSet, _ squares: [Double], _ nearest: Int, _ products: InnerProducts
  ) throws -> [Double] {
    var radii: [Double] = []
    radii.reserveCapacity(set.count)
    try products.forEachRow(of: set, with: set) { row, products in
      var distances = products.enumerated().map { column, product in
        // A vector itself comes first, however its own distance was rounded.
        column == row ? -1 : max(0, squares[row] + squares[column] - 2 * product)
      }
      distances.sort()
      radii.append(distances[nearest])
    }
    return radii
  }
}

extension FeatureSet {
  /// The squared norms of vectors.
  fileprivate var squares: [Double] {
    (0..<count).map { self[$0].reduce(0.0) { $0 + Double($1) * Double($1) } }
  }
}
