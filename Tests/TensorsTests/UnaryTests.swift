import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct UnaryTests {
  /// A function, its plain formula, and where it is tested.
  struct Case: Sendable, CustomTestStringConvertible {
    let function: Unary.Function
    let formula: @Sendable (Double) -> Double
    var points: [Double] = [-2.5, -1.75, -0.5, -0.01, 0.02, 0.3, 1.2, 3.7]
    var testDescription: String { "\(function)" }
  }

  static let positive: [Double] = [0.01, 0.2, 0.9, 1, 1.7, 3.3, 12]
  static let cases: [Case] = [
    Case(function: .abs) { abs($0) },
    Case(function: .cbrt) { cbrt($0) },
    Case(function: .ceil) { $0.rounded(.up) },
    Case(function: .cosine) { cos($0) },
    Case(function: .exponential) { exp($0) },
    Case(function: .floor) { $0.rounded(.down) },
    Case(function: .log, formula: { log($0) }, points: positive),
    Case(function: .logistic) { 1 / (1 + exp(-$0)) },
    Case(function: .negate) { -$0 },
    Case(function: .rsqrt, formula: { 1 / $0.squareRoot() }, points: positive),
    Case(function: .sign) { $0 < 0 ? -1 : 1 },
    Case(function: .sine) { sin($0) },
    Case(function: .sqrt, formula: { $0.squareRoot() }, points: positive),
    Case(function: .tan, formula: { tan($0) }, points: [-1.2, -0.4, 0.1, 0.7, 1.1]),
    Case(function: .tanh) { tanh($0) },
    Case(function: .exponentialMinusOne) { expm1($0) },
    Case(function: .logPlusOne, formula: { log1p($0) }, points: [-0.9, -1e-9, 0, 0.4, 7]),
    Case(function: .roundNearestEven) { $0.rounded(.toNearestOrEven) },
    Case(function: .erf) { erf($0) },
    Case(
      function: .erfInverse, formula: { inverse(of: erf, at: $0) },
      points: [-0.9, -0.3, 0.01, 0.5, 0.95]),
    Case(function: .lgamma, formula: { lgamma($0) }, points: positive),
    Case(
      function: .digamma, formula: { (lgamma($0 + 1e-5) - lgamma($0 - 1e-5)) / 2e-5 },
      points: [0.2, 0.9, 1, 3.3, 12]),
  ]

  /// The place where a rising function takes a value, by bisection within ±6.
  static func inverse(of function: (Double) -> Double, at value: Double) -> Double {
    var (low, high) = (-6.0, 6.0)
    for _ in 0..<200 {
      let middle = (low + high) / 2
      if function(middle) < value { low = middle } else { high = middle }
    }
    return low
  }

  @Test func everyFunctionIsTested() {
    #expect(Set(Self.cases.map(\.function)).union([.not]) == Set(Unary.Function.allCases))
  }

  @Test func valuesAgreeWithTheFormulas() throws {
    let results = try evaluate(Self.cases.map { Numbers($0.points) }) { inputs in
      zip(Self.cases, inputs).map { Tensor(Unary(function: $0.function), [$1]) }
    }
    for (some, result) in zip(Self.cases, results) {
      // The formula for digamma is itself a difference.
      expectClose(
        result.values, some.points.map(some.formula),
        relative: some.function == .digamma ? 1e-8 : 1e-12, absolute: 1e-8, "\(some.function)")
    }
  }

  @Test func notComplementsBoolsAndBits() throws {
    let results = try evaluate([Numbers([0, 1], nil, .bool), Numbers([0, 5, -1], nil, .int32)]) {
      [!$0[0], !$0[1]]
    }
    #expect(results[0].values == [1, 0])
    #expect(results[1].values == [-1, -6, 0])
  }

  @Test func signOfZeroIsZero() throws {
    #expect(try evaluate([Numbers([0, -3, 2])]) { [$0[0].sign()] }[0].values == [0, -1, 1])
  }

  /// One program for all functions, a little beside the points, some of which are steps.
  @Test func gradients() throws {
    let smooth = Self.cases.filter { $0.function != .digamma }
    let inputs = smooth.map { Numbers($0.points.map { $0 + 0.003 }) }
    try expectGradient(at: inputs, step: 2e-4, tolerance: 1e-6) {
      zip(smooth, $0).map { Tensor(Unary(function: $0.function), [$1]) }
    }
  }

  static let compositions: [GradientCase] = [
    GradientCase("relu", [3, 4]) { [$0[0].relu()] },
    GradientCase("silu", [3, 4]) { [$0[0].silu()] },
    GradientCase("gelu", [3, 4]) { [$0[0].gelu(), $0[0].gelu(approximate: true)] },
    GradientCase("softplus", [3, 4]) { [$0[0].softplus()] },
    GradientCase("squared", [3, 4]) { [$0[0].squared()] },
  ]

  @Test(arguments: compositions) func gradient(_ some: GradientCase) throws { try some.check() }

  @Test func activationsAgreeWithTheFormulas() throws {
    let x = [-700, -2.3, -0.4, 0, 0.7, 3, 800]
    let results = try evaluate([Numbers(x)]) {
      let x = $0[0]
      return [x.relu(), x.silu(), x.gelu(), x.gelu(approximate: true), x.softplus(), x.squared()]
    }
    expectClose(results[0].values, x.map { max($0, 0) }, "relu")
    expectClose(results[1].values, x.map { $0 / (1 + exp(-$0)) }, "silu")
    expectClose(results[2].values, x.map { $0 * (1 + erf($0 / 2.0.squareRoot())) / 2 }, "gelu")
    let approximate = x.map { x -> Double in
      let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
      return 0.5 * x * (1 + tanh(inner))
    }
    expectClose(results[3].values, approximate, "gelu with tanh")
    expectClose(results[4].values, x.map { $0 > 100 ? $0 : log1p(exp($0)) }, "softplus")
    expectClose(results[5].values, x.map { $0 * $0 }, "squared")
  }
}
