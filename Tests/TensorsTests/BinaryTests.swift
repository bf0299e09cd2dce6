import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct BinaryTests {
  static let formulas: [(Binary.Function, @Sendable (Double, Double) -> Double)] = [
    (.add, { $0 + $1 }), (.subtract, { $0 - $1 }), (.multiply, { $0 * $1 }),
    (.divide, { $0 / $1 }), (.maximum, { max($0, $1) }), (.minimum, { min($0, $1) }),
    (.atan2, { atan2($0, $1) }), (.remainder, { fmod($0, $1) }),
  ]

  @Test func valuesAgreeWithTheFormulas() throws {
    let a = [-2.5, -0.3, 0, 0.4, 1.7, 3, 3]
    let b = [1.2, -0.7, 0.5, -0.4, 1.1, 3, -2]
    let results = try evaluate([Numbers(a), Numbers(b)]) { inputs in
      Self.formulas.map { Tensor(Binary(function: $0.0), inputs) }
    }
    for ((function, formula), result) in zip(Self.formulas, results) {
      expectClose(result.values, zip(a, b).map(formula), relative: 1e-13, "\(function)")
    }
  }

  @Test func powers() throws {
    let a = [0.2, 1, 2.5, -2, -1.5, 0, 0, 3]
    let b = [-1.5, 7, 0.3, 3, 2, 0, 2, 0]
    let results = try evaluate([Numbers(a), Numbers(b)]) { [$0[0].power($0[1]), $0[0].power(2)] }
    expectClose(results[0].values, zip(a, b).map { pow($0, $1) }, relative: 1e-12)
    expectClose(results[1].values, a.map { $0 * $0 }, relative: 1e-12)
  }

  @Test func bitsAndBools() throws {
    let a = Numbers([12, 255, 7, 0], nil, .uint32)
    let b = Numbers([10, 15, 8, 3], nil, .uint32)
    let (p, q) = (Numbers([1, 1, 0, 0], nil, .bool), Numbers([1, 0, 1, 0], nil, .bool))
    let results = try evaluate([a, b, p, q]) {
      let (a, b, p, q) = ($0[0], $0[1], $0[2], $0[3])
      return [a & b, a | b, a ^ b, a << 3, a >> 2, p & q, p | q, p ^ q]
    }
    #expect(results[0].values == [8, 15, 0, 0])
    #expect(results[1].values == [14, 255, 15, 3])
    #expect(results[2].values == [6, 240, 15, 3])
    #expect(results[3].values == [96, 2040, 56, 0])
    #expect(results[4].values == [3, 63, 1, 0])
    #expect(results[5].values == [1, 0, 0, 0])
    #expect(results[6].values == [1, 1, 1, 0])
    #expect(results[7].values == [0, 1, 1, 0])
  }

  @Test func integerDivisionTruncates() throws {
    let a = Numbers([7, -7, 9], nil, .int32)
    let results = try evaluate([a]) {
      [
        $0[0] / 2, $0[0].remainder(.constant(2, .int32, shape: [3])), 1 - $0[0],
        $0[0].clamped(-1...8),
      ]
    }
    #expect(results[0].values == [3, -3, 4])
    #expect(results[1].values == [1, -1, 1])
    #expect(results[2].values == [-6, 8, -8])
    #expect(results[3].values == [7, -1, 8])
  }

  @Test func shapesBroadcastAndNumbersMix() throws {
    let a = Numbers.random([2, 1, 3])
    let b = Numbers.random([4, 1], seed: 2)
    let results = try evaluate([a, b]) {
      var sum = $0[0]
      sum += $0[1]
      return [sum, 2 - $0[0], 1 / $0[1], $0[1] / 4, 3 * $0[0] + 1, 5 + $0[0] * 2 - 3]
    }
    expectClose(results[0], Numbers([2, 4, 3]) { a[$0[0], 0, $0[2]] + b[$0[1], 0] })
    expectClose(results[1].values, a.values.map { 2 - $0 })
    expectClose(results[2].values, b.values.map { 1 / $0 })
    expectClose(results[3].values, b.values.map { $0 / 4 })
    expectClose(results[4].values, a.values.map { 3 * $0 + 1 })
    expectClose(results[5].values, a.values.map { 2 + $0 * 2 })
  }

  static let gradients: [GradientCase] = [
    GradientCase("add", [3, 4], [4]) { [$0[0] + $0[1]] },
    GradientCase("subtract", [3, 1], [2, 1, 4]) { [$0[0] - $0[1]] },
    GradientCase("multiply", [3, 1], [3, 4]) { [$0[0] * $0[1]] },
    GradientCase("divide", [3, 1], [3, 4], in: 0.5...2) { [$0[0] / $0[1]] },
    GradientCase("maximum and minimum", [3, 4], [3, 4]) {
      [$0[0].maximum($0[1]), $0[0].minimum($0[1])]
    },
    GradientCase("power", [3, 4], [3, 4], in: 0.3...2) { [$0[0].power($0[1])] },
    GradientCase("whole powers of negative numbers", [3, 2], in: -2 ... -0.3) {
      [$0[0].power(3), $0[0].power(2), $0[0].power(-1)]
    },
    GradientCase("atan2", [3, 4], [3, 4]) { [$0[0].atan2($0[1])] },
    GradientCase("remainder", [Numbers([2.7, -2.7, 5.1, 0.3]), Numbers([1.1, 1.2, -0.9, 0.8])]) {
      [$0[0].remainder($0[1])]
    },
    GradientCase("clamped", [Numbers([-3, -0.5, 0.1, 0.8, 2])]) { [$0[0].clamped(-1...1)] },
    GradientCase("numbers", [2, 3], in: 0.5...1) {
      let x = $0[0]
      return [2 + x, x + 2, 2 - x, x - 2, 2 * x, x * 2, 2 / x, x / 2]
    },
    GradientCase("one tensor many times", [3]) { [$0[0] * $0[0] * $0[0] + $0[0] / ($0[0] + 3)] },
  ]

  @Test(arguments: gradients) func gradient(_ some: GradientCase) throws { try some.check() }

  @Test func tiesShareTheGradient() throws {
    let results = try evaluate([Numbers([1, 2, 3]), Numbers([1, 5, 0])]) {
      $0[0].maximum($0[1]).sum().gradients(for: $0) + $0[0].minimum($0[1]).sum().gradients(for: $0)
    }
    #expect(results.map(\.values) == [[0.5, 0, 1], [0.5, 1, 0], [0.5, 1, 0], [0.5, 0, 1]])
  }

  /// 0 to a power that is constant and 0 is 1 everywhere near.
  @Test func powersOfZeroHaveGradients() throws {
    let results = try evaluate([Numbers([0, 2])]) { inputs in
      [0.0, 1, 2].map { inputs[0].power($0).sum().gradients(for: inputs)[0] }
    }
    #expect(results.map(\.values) == [[0, 0], [1, 1], [0, 4]])
  }
}
