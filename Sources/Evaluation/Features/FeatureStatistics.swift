import CLAPACKE
import Runtime
import Tensors

/// The mean and covariance of a set of feature vectors.
public struct FeatureStatistics: Sendable, Equatable {
  /// The number of vectors.
  public private(set) var count = 0
  /// The number of features.
  public let width: Int
  private var sum: [Double]
  /// The sum of outer products, row-major.
  private var products: [Double]

  /// Makes the statistics of an empty set.
  public init(width: Int) {
    self.width = width
    sum = [Double](repeating: 0, count: width)
    products = [Double](repeating: 0, count: width * width)
  }

  /// Adds vectors, given by their sums.
  ///
  /// - Parameters:
  ///   - count: the number of vectors.
  ///   - sum: their sum `[width]`.
  ///   - products: the sum of their outer products `[width, width]`.
  public mutating func add(count: Int, sum: [Double], products: [Double]) {
    precondition(sum.count == width && products.count == width * width)
    self.count += count
    for i in 0..<width { self.sum[i] += sum[i] }
    for i in products.indices { self.products[i] += products[i] }
  }

  /// The mean.
  var mean: [Double] { sum.map { $0 / Double(count) } }

  /// The unbiased covariance, row-major.
  var covariance: [Double] {
    precondition(count > 1, "a covariance needs two vectors")
    let mean = mean
    var result = products
    for i in 0..<width {
      for j in 0..<width {
        let product = products[i * width + j] - Double(count) * mean[i] * mean[j]
        result[i * width + j] = product / Double(count - 1)
      }
    }
    return result
  }

  /// Whether the vectors differ by more than rounding.
  var varies: Bool {
    let (mean, covariance) = (mean, covariance)
    return (0..<width).contains { covariance[$0 * width + $0] > 1e-12 * mean[$0] * mean[$0] }
  }

  /// The Fréchet distance between the normal distributions with these statistics:
  /// `|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)` (Heusel and others, 2017).
  ///
  /// It decreases with the number of vectors: compare only distances of equal counts.
  ///
  /// - Parameter engine: multiplies large matrices; nil for none.
  /// - Throws: `EvaluationError.noEigenvalues`, and the plugin's errors.
  public func distance(to other: FeatureStatistics, on engine: Engine? = nil) throws -> Double {
    precondition(width == other.width, "distances are between equally wide features")
    let shift = zip(mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let (a, b) = (covariance, other.covariance)
    // tr((AB)^½) = tr((LᵀBL)^½) for A = LLᵀ, whose matrix is symmetric.
    let (factor, order) = try cholesky(a)
    var permuted = b
    for i in 0..<width {
      for j in 0..<width { permuted[i * width + j] = b[order[i] * width + order[j]] }
    }
    let inner =
      try engine.map { try congruence(permuted, factor, on: $0) } ?? congruence(permuted, factor)
    let trace = try eigenvalues(inner).reduce(0) { $0 + max(0, $1).squareRoot() }
    let diagonal = (0..<width).reduce(0.0) { $0 + a[$1 * width + $1] + b[$1 * width + $1] }
    return max(0, shift + diagonal - 2 * trace)
  }

  /// The product `LᵀBL`.
  private func congruence(_ b: [Double], _ factor: [Double]) -> [Double] {
    var inner = [Double](repeating: 0, count: width * width)
    var result = inner
    for i in 0..<width {
      for k in 0..<width {
        let value = b[i * width + k]
        for j in 0...k { inner[i * width + j] += value * factor[k * width + j] }
      }
    }
    for k in 0..<width {
      for i in 0...k {
        let value = factor[k * width + i]
        for j in 0..<width { result[i * width + j] += value * inner[k * width + j] }
      }
    }
    return result
  }

  /// The product `LᵀBL` on a device.
  private func congruence(
    _ b: [Double], _ factor: [Double], on engine: Engine
  ) throws -> [Double] {
    let type = TensorType([width, width], .float64)
    let function = try engine.compile(Named([("b", type), ("factor", type)])) { t in
      let inner = t["b"]!.dot(t["factor"]!, contracting: ([1], [0]))
      return Named([("product", t["factor"]!.dot(inner, contracting: ([0], [0])))])
    }
    return try function(
      Named([
        ("b", try engine.array(b, shape: [width, width])),
        ("factor", try engine.array(factor, shape: [width, width])),
      ]))["product"]!.array()
  }

  /// The Cholesky factor of a covariance with its rows in another order; where the covariance is singular
  /// the last columns are 0.
  ///
  /// - Returns: the factor, lower and row-major, and for each of its rows that of the covariance.
  private func cholesky(
    _ matrix: [Double]
  ) throws(EvaluationError) -> (factor: [Double], order: [Int]) {
    var (factor, order, rank) = (matrix, [Int32](repeating: 0, count: width), Int32(0))
    let size = Int32(width)
    let status = LAPACKE_dpstrf(
      LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "L")), size, &factor, size, &order, &rank, -1)
    // 1 says that the rank is not full.
    guard status == 0 || status == 1 else { throw .noEigenvalues(status: Int(status)) }
    for i in 0..<width {
      for j in 0..<width where j > i || j >= Int(rank) { factor[i * width + j] = 0 }
    }
    return (factor, order.map { Int($0) - 1 })
  }

  /// The eigenvalues of a symmetric matrix.
  private func eigenvalues(_ matrix: [Double]) throws(EvaluationError) -> [Double] {
    var (matrix, values) = (matrix, [Double](repeating: 0, count: width))
    let size = Int32(width)
    let status = LAPACKE_dsyevd(
      LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: "U")), size, &matrix, size,
      &values)
    guard status == 0 else { throw .noEigenvalues(status: Int(status)) }
    return values
  }
}
