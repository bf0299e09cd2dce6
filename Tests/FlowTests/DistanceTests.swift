import Flow
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct DistanceTests {
  /// Each loss, and its factor of a sample's mean square m.
  static let cases: [(RegressionLoss, @Sendable (Double) -> Double)] = [
    (.l2, { _ in 1 }),
    (.barron(), { 1 / ($0 / (1e-6 + 1e-8) + 1).squareRoot() / 1e-3 }),
    (.barron(alpha: 0.5, c: 0.1), { pow($0 / (0.01 + 1e-8) / 1.5 + 1, -0.75) / 0.1 }),
    (.barron(alpha: -2, c: 1), { pow($0 / (1 + 1e-8) / 4 + 1, -2) }),
    (.barron(alpha: 2, c: 0.25), { _ in 4 }),
  ]

  @Test(arguments: cases.indices)
  func isTheWeightedMeanSquareAndTheWeightHasNoGradient(_ place: Int) throws {
    let (distance, factor) = Self.cases[place]
    let prediction = Numbers.random([3, 2, 5], seed: 1)
    let target = Numbers.random([3, 2, 5], seed: 2)
    let results = try evaluate([prediction, target]) { inputs in
      let each = distance(inputs[0], inputs[1])
      return [each] + each.sum().gradients(for: inputs)
    }
    let difference = zip(prediction.values, target.values).map { $0 - $1 }
    let squares = (0..<3).map { row in
      difference[row * 10..<row * 10 + 10].reduce(0) { $0 + $1 * $1 } / 10
    }
    expectClose(results[0].values, squares.map { $0 * factor($0) })
    expectClose(
      results[1].values,
      difference.enumerated().map { 2 * $1 / 10 * factor(squares[$0 / 10]) })
    expectClose(results[2].values, results[1].values.map { -$0 })
  }

  @Test func ofNothingIsZero() throws {
    let same = Numbers([1, 2, 3], [1, 3], .float32)
    for (distance, _) in Self.cases {
      let results = try evaluate([same]) { inputs in
        let each = distance(inputs[0], inputs[0].stopGradient())
        return [each] + each.sum().gradients(for: inputs)
      }
      #expect(results.map(\.values) == [[0], [0, 0, 0]])
    }
  }

  @Test func halfPrecisionIsMeasuredInSingle() throws {
    let inputs = [Numbers([300], [1, 1], .float16), Numbers([-300], [1, 1], .float16)]
    let result = try evaluate(inputs) { [RegressionLoss.l2($0[0], $0[1])] }[0]
    #expect(result.dtype == .float32)
    #expect(result.values == [360_000])
  }
}
