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
  /// - Throws: `EvaluationError.noEigenvalues`.
  public func distance(to other: FeatureStatistics) throws(EvaluationError) -> Double {
    precondition(width == other.width, "distances are between equally wide features")
    let shift = zip(mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let (a, b) = (covariance, other.covariance)
    // tr((AB)^½) = tr((√A·B·√A)^½), whose matrix is symmetric.
    let (values, vectors) = try eigen(a)
    let roots = values.map { max(0, $0).squareRoot() }
    var root = [Double](repeating: 0, count: width * width)
    for k in 0..<width {
      for i in 0..<width {
        let scaled = vectors[i * width + k] * roots[k]
        for j in 0..<width { root[i * width + j] += scaled * vectors[j * width + k] }
      }
    }
    let inner = multiply(multiply(root, b), root)
    let trace = try eigen(inner).values.reduce(0) { $0 + max(0, $1).squareRoot() }
    let diagonal = (0..<width).reduce(0.0) { $0 + a[$1 * width + $1] + b[$1 * width + $1] }
    return max(0, shift + diagonal - 2 * trace)
  }

  private func multiply(_ a: [Double], _ b: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: width * width)
    for i in 0..<width {
      for k in 0..<width {
        let factor = a[i * width + k]
        for j in 0..<width { result[i * width + j] += factor * b[k * width + j] }
      }
    }
    return result
  }

  /// Eigenvalues of a symmetric matrix, and its eigenvectors as columns.
  private func eigen(
    _ matrix: [Double]
  ) throws(EvaluationError) -> (values: [Double], vectors: [Double]) {
    var (vectors, values) = (matrix, [Double](repeating: 0, count: width))
    let size = Int32(width)
    let status = LAPACKE_dsyevd(
      LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "U")), size, &vectors, size,
      &values)
    guard status == 0 else { throw .noEigenvalues(status: Int(status)) }
    return (values, vectors)
  }
}
