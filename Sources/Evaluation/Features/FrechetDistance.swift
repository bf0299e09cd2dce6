import CLAPACKE
import Runtime
import Tensors

extension FeatureSet {
  /// The Fréchet distance between the normal distributions of two sets of vectors, see
  /// `FeatureStatistics.distance`.
  ///
  /// The trace of the root of the covariances' product is the sum of the singular values of the product of
  /// the centred sets, whether covariances are singular or not. Of much larger sets the covariances are used,
  /// whose size does not grow.
  ///
  /// - Throws: `EvaluationError.tooFewFeatures`, `noEigenvalues`, and the plugin's errors.
  public func frechetDistance(to other: FeatureSet, on engine: Engine) throws -> Double {
    precondition(width == other.width, "distances are between equally wide features")
    for set in [self, other] where set.count < 2 {
      throw EvaluationError.tooFewFeatures(found: set.count, needed: 2)
    }
    let (least, most) = (min(count, other.count), max(count, other.count))
    guard least <= Self.mostBySingularValues * width, least * least * most <= Self.mostWork else {
      return try statistics(on: engine).distance(to: other.statistics(on: engine), on: engine)
    }
    let (a, b) = (centred, other.centred)
    let shift = zip(a.mean, b.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let (m, n) = (count, other.count)
    let types = Named([
      ("a", TensorType([m, width], .float64)), ("b", TensorType([n, width], .float64)),
    ])
    let function = try engine.compile(types) { t in
      Named([("product", t["a"]!.dot(t["b"]!, contracting: ([1], [1])))])
    }
    let product: [Double] = try function(
      Named([
        ("a", try engine.array(a.values, shape: [m, width])),
        ("b", try engine.array(b.values, shape: [n, width])),
      ]))["product"]!.array()
    let scale = (Double(m - 1) * Double(n - 1)).squareRoot()
    let root = try singularValues(product, rows: m, columns: n).reduce(0, +) / scale
    let variances =
      a.values.reduce(0) { $0 + $1 * $1 } / Double(m - 1)
      + b.values.reduce(0) { $0 + $1 * $1 } / Double(n - 1)
    return max(0, shift + variances - 2 * root)
  }

  /// The most vectors, as a multiple of the features, of which singular values are computed.
  private static let mostBySingularValues = 4
  /// The most multiplications for singular values, about: a few seconds of LAPACK.
  private static let mostWork = 10_000_000_000

  /// The mean vector, and the vectors without it.
  private var centred: (mean: [Double], values: [Double]) {
    var mean = [Double](repeating: 0, count: width)
    for (index, value) in values.enumerated() { mean[index % width] += Double(value) }
    mean = mean.map { $0 / Double(count) }
    return (mean, values.enumerated().map { Double($1) - mean[$0 % width] })
  }

  /// The mean and the covariance.
  private func statistics(on engine: Engine) throws -> FeatureStatistics {
    let types = Named([("features", TensorType([count, width], .float32))])
    let function = try engine.compile(types) { t in
      let exact = t["features"]!.cast(to: .float64)
      return Named([
        ("sum", exact.sum([0])), ("products", exact.dot(exact, contracting: ([0], [0]))),
      ])
    }
    let sums = try function(
      Named([("features", try engine.array(values, shape: [count, width]))]))
    var statistics = FeatureStatistics(width: width)
    statistics.add(
      count: count, sum: try sums["sum"]!.array(), products: try sums["products"]!.array())
    return statistics
  }

  /// The singular values of a row-major matrix.
  private func singularValues(
    _ matrix: [Double], rows: Int, columns: Int
  ) throws -> [Double] {
    var (matrix, values) = (matrix, [Double](repeating: 0, count: min(rows, columns)))
    // With the job N neither is written.
    var (left, right) = ([0.0], [0.0])
    let status = LAPACKE_dgesdd(
      // By columns it is the transposed matrix, whose singular values are the same.
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "N")), Int32(columns), Int32(rows), &matrix,
      Int32(columns), &values, &left, 1, &right, 1)
    guard status == 0 else { throw EvaluationError.noEigenvalues(status: Int(status)) }
    return values
  }
}
