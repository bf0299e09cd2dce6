import TestSupport
import Testing

@testable import Tensors

@Suite struct ReduceTests {
  static let x = Numbers.random([2, 3, 4])

  /// A reduction in plain Swift: over the elements that share the indices of the remaining axes.
  static func reduce(_ x: Numbers, _ axes: [Int], _ combine: ([Double]) -> Double) -> Numbers {
    let rest = x.shape.indices.filter { !axes.contains($0) }
    var groups: [[Int]: [Double]] = [:]
    for place in Numbers.places(x.shape) {
      groups[rest.map { place[$0] }, default: []].append(x[place])
    }
    return Numbers(rest.map { x.shape[$0] }) { combine(groups[$0]!) }
  }

  @Test(arguments: [[0], [1], [2], [0, 2], [-1, 0], [0, 1, 2], []])
  func valuesAgreeWithTheFormulas(_ axes: [Int]) throws {
    let x = Self.x
    let results = try evaluate([x]) {
      let x = $0[0]
      return [x.sum(axes), x.product(axes), x.max(axes), x.min(axes), x.mean(axes)]
    }
    let places = axes.map { $0 < 0 ? $0 + 3 : $0 }
    expectClose(results[0], Self.reduce(x, places) { $0.reduce(0, +) }, "sum")
    expectClose(results[1], Self.reduce(x, places) { $0.reduce(1, *) }, "product")
    expectClose(results[2], Self.reduce(x, places) { $0.max()! }, "max")
    expectClose(results[3], Self.reduce(x, places) { $0.min()! }, "min")
    expectClose(results[4], Self.reduce(x, places) { $0.reduce(0, +) / Double($0.count) }, "mean")
  }

  @Test func keptAxesHaveSizeOne() throws {
    let results = try evaluate([Self.x]) {
      [
        $0[0].sum([1], keep: true), $0[0].max(keep: true), $0[0].mean([-1, 0], keep: true),
        $0[0].sum(),
      ]
    }
    #expect(results.map(\.shape) == [[2, 1, 4], [1, 1, 1], [1, 3, 1], []])
  }

  @Test func argmaxTakesTheFirstOfTies() throws {
    let x = Numbers([3, 1, 3, 0, 5, 5], [2, 3])
    let results = try evaluate([x]) { [$0[0].argmax(), $0[0].argmax(0)] }
    expectClose(results[0], Numbers([0, 1]))
    expectClose(results[1], Numbers([0, 1, 1]))
    #expect(results[0].dtype == .int32)
  }

  @Test func bools() throws {
    let x = Numbers([1, 1, 0, 1], [2, 2], .bool)
    let results = try evaluate([x]) { [$0[0].all([1]), $0[0].any([0]), $0[0].all(), $0[0].any()] }
    #expect(results.map(\.values) == [[1, 0], [1, 1], [0], [1]])
  }

  @Test(arguments: [DType.int8, .uint8, .int32, .uint32, .int64, .bfloat16, .float16, .float32])
  func integersAndHalfPrecision(_ dtype: DType) throws {
    let results = try evaluate([Numbers([3, 1, 2], nil, dtype)]) {
      [$0[0].max(), $0[0].min(), $0[0].sum(), $0[0].product()]
    }
    #expect(results.map(\.values) == [[3], [1], [6], [6]])
    #expect(results.allSatisfy { $0.dtype == dtype })
  }

  /// 1 + 2⁻⁹ · 4096 is 9; in bfloat16 each addend alone would be lost.
  @Test func halfPrecisionIsSummedInSinglePrecision() throws {
    let x = Numbers([1] + [Double](repeating: 0x1p-9, count: 4096), nil, .bfloat16)
    #expect(try evaluate([x]) { [$0[0].sum()] }[0].values == [9])
  }

  static let gradients: [GradientCase] = [
    GradientCase("sum", [2, 3, 4]) {
      [$0[0].squared().sum([1]), $0[0].sin().sum(), $0[0].exp().sum([0, 2], keep: true)]
    },
    GradientCase("mean", [2, 3, 4]) { [$0[0].squared().mean([-1]), $0[0].sin().mean()] },
    GradientCase("max", [2, 3, 4]) {
      [$0[0].max([1]), $0[0].max(), $0[0].max([0, 2], keep: true)]
    },
    GradientCase("min", [2, 3, 4]) {
      [$0[0].min([1]), $0[0].min(), $0[0].min([0, 2], keep: true)]
    },
  ]

  @Test(arguments: gradients) func gradient(_ some: GradientCase) throws { try some.check() }

  @Test func tiesShareTheGradient() throws {
    let results = try evaluate([Numbers([2, 2, 1, 2])]) {
      $0[0].max().gradients(for: $0) + $0[0].min().gradients(for: $0)
    }
    expectClose(results[0].values, [1.0 / 3, 1.0 / 3, 0, 1.0 / 3])
    expectClose(results[1].values, [0, 0, 1, 0])
  }
}
