import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct RandomTests {
  static let count = 20_000

  /// A program that draws from a key whose words are its input.
  static func draw(_ seed: Double = 7, _ body: (Key) -> [Tensor]) throws -> [Numbers] {
    try evaluate([Numbers([seed, 0], nil, .uint64)]) { body(Key($0[0])) }
  }

  /// Expects the mean and variance of a distribution, within five standard errors.
  static func expectMoments(
    _ x: Numbers, mean: Double, variance: Double, kurtosis: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let n = Double(x.count)
    let found = x.values.reduce(0, +) / n
    let square = x.values.reduce(0) { $0 + ($1 - found) * ($1 - found) } / n
    expectClose(
      [found], [mean], relative: 0, absolute: 5 * (variance / n).squareRoot(), "mean of \(what)",
      sourceLocation: sourceLocation)
    expectClose(
      [square], [variance], relative: 0,
      absolute: 5 * variance * ((kurtosis - 1) / n).squareRoot(), "variance of \(what)",
      sourceLocation: sourceLocation)
  }

  /// The Kolmogorov–Smirnov distance from a distribution, which a fair sample exceeds once in 10⁵.
  static func expectDistribution(
    _ x: Numbers, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ distribution: (Double) -> Double
  ) {
    let n = Double(x.count)
    let distance = x.values.sorted().enumerated().map { i, value in
      let p = distribution(value)
      return max(abs(p - Double(i) / n), abs(p - Double(i + 1) / n))
    }.max()!
    #expect(distance * n.squareRoot() < 2.47, "\(what)", sourceLocation: sourceLocation)
  }

  @Test func theSameKeyGivesTheSameNumbers() throws {
    let body = { (key: Key) in [key.uniform([8]), key.normal([8]), key.split(2)[1].bits([4])] }
    let (a, b, other) = (try Self.draw(7, body), try Self.draw(7, body), try Self.draw(8, body))
    #expect(a == b)
    #expect(zip(a, other).allSatisfy { zip($0.values, $1.values).allSatisfy { $0 != $1 } })
    let constant = try evaluate { _ in body(Key(seed: 7)) }
    #expect(constant == a)
  }

  /// Keys of a thousand rounds, of a split and the parent itself have nothing in common.
  @Test func keysDiffer() throws {
    let states = try evaluate([Numbers([7, 0], nil, .uint64)]) { inputs in
      let key = Key(inputs[0])
      let folded = scan([], [.iota([1000], .int32)]) { ([], [key.folded($1[0]).state]) }.outputs[0]
      let parts = key.split(5) + key.split(2)[0].split(2)
      let all = Tensor.concatenate(
        [folded] + parts.map { $0.state.reshape([1, 2]) } + [inputs[0].reshape([1, 2])])
      // Whole words do not fit a double; halves do.
      return [
        (all >> 32).cast(to: .float64), (all & .constant(0xFFFF_FFFF, .uint64)).cast(to: .float64),
      ]
    }
    let keys = (0..<1008).map { i in
      [states[0][i, 0], states[1][i, 0], states[0][i, 1], states[1][i, 1]]
    }
    #expect(Set(keys).count == 1008)
    #expect(Set(keys.map { $0[0] }).count > 1000)
  }

  @Test func foldedStreamsAreIndependent() throws {
    let results = try Self.draw { key in
      (0..<2).map { key.folded(.constant(Double($0), .int32)).normal([Self.count]) }
    }
    let products = zip(results[0].values, results[1].values).map { $0 * $1 }
    Self.expectMoments(Numbers(products), mean: 0, variance: 1, kurtosis: 9, "products")
  }

  @Test(arguments: [DType.float16, .bfloat16, .float32, .float64])
  func uniform(_ dtype: DType) throws {
    let x = try Self.draw { [$0.uniform([Self.count], dtype)] }[0]
    #expect(x.dtype == dtype)
    #expect(x.values.allSatisfy { $0 > 0 && $0 < 1 })
    // Half precision's rounding moves the moments by less than these bounds.
    Self.expectMoments(x, mean: 0.5, variance: 1.0 / 12, kurtosis: 1.8, "\(dtype)")
    if dtype == .float32 || dtype == .float64 { Self.expectDistribution(x, "\(dtype)") { $0 } }
  }

  @Test(arguments: [DType.bfloat16, .float32, .float64]) func normal(_ dtype: DType) throws {
    let x = try Self.draw { [$0.normal([Self.count / 100, 100], dtype)] }[0]
    #expect(x.dtype == dtype && x.shape == [Self.count / 100, 100])
    Self.expectMoments(x, mean: 0, variance: 1, kurtosis: 3, "\(dtype)")
    if dtype != .bfloat16 {
      Self.expectDistribution(x, "\(dtype)") { 0.5 * erfc(-$0 / 2.0.squareRoot()) }
    }
  }

  /// Shapes whose distribution functions are plain: a = ½ by the error function, 1 and 2 by e⁻ˣ.
  @Test func gamma() throws {
    let shapes = [0.1, 0.5, 1, 2, 7.3]
    let results = try Self.draw { key in
      zip(key.split(5), shapes).map { $0.gamma($1, [Self.count], .float64) }
        + [key.gamma(3, [Self.count], .bfloat16)]
    }
    for (a, x) in zip(shapes + [3], results) {
      Self.expectMoments(x, mean: a, variance: a, kurtosis: 3 + 6 / a, "gamma \(a)")
    }
    Self.expectDistribution(results[1], "gamma ½") { erf($0.squareRoot()) }
    Self.expectDistribution(results[2], "gamma 1") { 1 - exp(-$0) }
    Self.expectDistribution(results[3], "gamma 2") { 1 - (1 + $0) * exp(-$0) }
  }

  static let betas: [(Double, Double, DType)] = [
    (0.5, 0.5, .float32), (0.1, 0.3, .float64), (1, 1, .float32), (0.8, 1, .bfloat16),
    (1, 3, .float32),
  ]

  @Test(arguments: betas) func beta(_ a: Double, _ b: Double, _ dtype: DType) throws {
    let x = try Self.draw { [$0.beta(a, b, [Self.count], dtype)] }[0]
    #expect(x.dtype == dtype)
    #expect(x.values.allSatisfy { $0 >= 0 && $0 <= 1 })
    let s = a + b
    let variance = a * b / (s * s * (s + 1))
    let excess =
      6 * ((a - b) * (a - b) * (s + 1) - a * b * (s + 2)) / (a * b * (s + 2) * (s + 3))
    Self.expectMoments(x, mean: a / s, variance: variance, kurtosis: 3 + excess, "beta")
    if b == 1, dtype != .bfloat16 { Self.expectDistribution(x, "power") { pow($0, a) } }
    if a == 1 { Self.expectDistribution(x, "power") { 1 - pow(1 - $0, b) } }
    if a == 0.5, b == 0.5 {
      Self.expectDistribution(x, "arcsine") { 2 / .pi * asin($0.squareRoot()) }
    }
  }

  @Test func permutationsAreUniform() throws {
    let results = try Self.draw { key in
      let many = scan([], [.iota([600], .int32)]) { ([], [key.folded($1[0]).permutation(3)]) }
      return [key.permutation(100)] + many.outputs
    }
    #expect(results[0].values.sorted() == (0..<100).map(Double.init))
    #expect(results[0].values != (0..<100).map(Double.init))
    var counts: [[Double]: Int] = [:]
    for i in 0..<600 { counts[(0..<3).map { results[1][i, $0] }, default: 0] += 1 }
    #expect(counts.count == 6)
    #expect(counts.values.allSatisfy { (55...150).contains($0) })
  }

  @Test func integersAndBools() throws {
    let results = try Self.draw {
      [$0.integers(below: 5, [10_000]), $0.bernoulli(0.2, [Self.count])]
    }
    #expect(results[0].dtype == .int32 && results[1].dtype == .bool)
    for value in 0..<5 {
      let count = results[0].values.filter { $0 == Double(value) }.count
      #expect((1800...2200).contains(count), "\(value)")
    }
    Self.expectMoments(results[1], mean: 0.2, variance: 0.16, kurtosis: 3.25, "bernoulli")
  }
}
