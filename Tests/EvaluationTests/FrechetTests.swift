import Runtime
import Testing

@testable import Evaluation

@Suite struct FrechetTests {
  private func statistics(_ vectors: [[Double]]) -> FeatureStatistics {
    let width = vectors[0].count
    var result = FeatureStatistics(width: width)
    for v in vectors {
      let products = (0..<width * width).map { v[$0 / width] * v[$0 % width] }
      result.add(count: 1, sum: v, products: products)
    }
    return result
  }

  @Test func meanAndCovariance() {
    let s = statistics([[1, 2], [3, 6], [5, 1]])
    #expect(s.mean == [3, 3])
    #expect(zip(s.covariance, [4, -1, -1, 7]).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test func distanceToItselfIsZero() throws {
    let s = statistics([[1, 2, 0], [3, 6, 1], [5, 1, 1], [0, 0, 4], [2, 2, 2]])
    #expect(try abs(s.distance(to: s)) < 1e-6)
  }

  @Test func shiftCountsSquared() throws {
    let a = [[1.0, 2], [3, 6], [5, 1]]
    let b = a.map { [$0[0] + 3, $0[1] - 4] }
    #expect(try abs(statistics(a).distance(to: statistics(b)) - 25) < 1e-6)
  }

  @Test func independentFeaturesFollowTheFormula() throws {
    // With diagonal covariances the distance is the sum of (σ₁ − σ₂)².
    func cross(_ x: Double, _ y: Double) -> [[Double]] { [[x, 0], [-x, 0], [0, y], [0, -y]] }
    let (a, b) = (statistics(cross(3, 1)), statistics(cross(1, 2)))
    let deviation = { (x: Double) in (2 * x * x / 3).squareRoot() }
    let expected = [(3.0, 1.0), (1, 2)].reduce(0) { sum, pair in
      let difference = deviation(pair.0) - deviation(pair.1)
      return sum + difference * difference
    }
    #expect(try abs(a.distance(to: b) - expected) < 1e-9)
  }

  @Test func covariancesThatDoNotCommute() throws {
    // tr((AB)^½) of 2 × 2 matrices is √(tr AB + 2·√det AB).
    let a = statistics([[2, 1], [-2, -1], [1, -1], [-1, 1]])
    let b = statistics([[0, 3], [0, -3], [1, 1], [-1, -1]])
    let (p, q) = (a.covariance, b.covariance)
    let trace = p[0] * q[0] + p[1] * q[2] + p[2] * q[1] + p[3] * q[3]
    let determinant = (p[0] * p[3] - p[1] * p[2]) * (q[0] * q[3] - q[1] * q[2])
    let cross = (trace + 2 * determinant.squareRoot()).squareRoot()
    let expected = p[0] + p[3] + q[0] + q[3] - 2 * cross
    #expect(try abs(a.distance(to: b) - expected) < 1e-9)
  }

  @Test func aDeviceMultipliesTheSame() throws {
    let a = statistics([[2, 1, 0], [-2, -1, 1], [1, -1, 3], [-1, 1, 2], [0, 5, 1]])
    // A singular covariance, of which the third feature repeats the first.
    let b = statistics([[0, 3, 0], [0, -3, 0], [1, 1, 1], [-1, -1, -1]])
    for (first, second) in [(a, b), (b, a)] {
      let plain = try first.distance(to: second)
      #expect(try abs(first.distance(to: second, on: Engine()) - plain) < 1e-9 && plain > 1)
    }
    #expect(try abs(a.distance(to: b) - b.distance(to: a)) < 1e-7)
  }

  @Test func nonFiniteStatisticsAreAnError() {
    let s = statistics([[1, 2], [.nan, 6], [5, 1]])
    #expect(throws: EvaluationError.self) { try s.distance(to: s) }
  }

  @Test func constantVectorsDoNotVary() {
    #expect(!statistics([[1e5, 2], [1e5, 2], [1e5, 2]]).varies)
    #expect(statistics([[1e5, 2], [1e5, 2], [1e5, 2.1]]).varies)
  }

  @Test func tableIsAligned() {
    let report = Report(rows: [
      .init(
        name: "base", steps: 1, guidance: 0.8, samples: 2000, distance: 12.345, accuracy: 0.5,
        secondsPerImage: 0.001),
      .init(name: "real", samples: 10000, distance: 0.5, accuracy: 0.96),
    ])
    let lines = report.table.split(separator: "\n")
    #expect(lines.count == 3 && Set(lines.map(\.count)).count == 1)
    #expect(lines[1].contains("12.35") && lines[2].contains("–"))
  }
}
