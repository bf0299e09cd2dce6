import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct CompositeTests {
  static let x = Numbers.random([2, 3, 4], in: -3...3)

  /// Every row along the last axis through a function.
  static func rows(_ x: Numbers, _ function: ([Double]) -> [Double]) -> Numbers {
    let width = x.shape.last!
    let parts = stride(from: 0, to: x.count, by: width).map { Array(x.values[$0..<$0 + width]) }
    return Numbers(parts.flatMap(function), x.shape)
  }

  static func softmax(_ row: [Double]) -> [Double] {
    let sum = row.reduce(0) { $0 + exp($1) }
    return row.map { exp($0) / sum }
  }

  static func normalized(_ row: [Double], _ epsilon: Double) -> [Double] {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    return row.map { ($0 - mean) / (variance + epsilon).squareRoot() }
  }

  @Test func softmaxes() throws {
    let results = try evaluate([Self.x, Numbers([1000, 999, -1000])]) {
      [
        $0[0].softmax(), $0[0].logSoftmax(), $0[0].swapAxes().softmax(1), $0[1].softmax(),
        $0[1].logSoftmax(),
      ]
    }
    let expected = Self.rows(Self.x, Self.softmax)
    expectClose(results[0], expected)
    expectClose(results[1], Self.rows(Self.x) { Self.softmax($0).map { log($0) } })
    expectClose(results[2], Numbers([2, 4, 3]) { expected[$0[0], $0[2], $0[1]] })
    expectClose(results[3].values, [1 / (1 + exp(-1)), 1 / (1 + M_E), 0])
    expectClose(results[4].values, [-log1p(exp(-1)), -1 - log1p(exp(-1)), -2000 - log1p(exp(-1))])
  }

  @Test func norms() throws {
    let results = try evaluate([Self.x]) {
      let x = $0[0]
      return [
        x.normalized(epsilon: 1e-3), x.rmsNormalized(), x.normalized([1, -1]), x.groupNormalized(2),
      ]
    }
    expectClose(results[0], Self.rows(Self.x) { Self.normalized($0, 1e-3) })
    expectClose(
      results[1],
      Self.rows(Self.x) { row in
        let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
        return row.map { $0 / (square + 1e-6).squareRoot() }
      })
    let images = Numbers(Self.x.values, [2, 12])
    expectClose(results[2].values, Self.rows(images) { Self.normalized($0, 1e-5) }.values)
    // Channels 0, 1 and 2, 3 are the groups.
    let grouped = Numbers([2, 2, 3, 2]) { Self.x[$0[0], $0[2], $0[1] * 2 + $0[3]] }
    let expected = Self.rows(Numbers(grouped.values, [4, 6])) { Self.normalized($0, 1e-5) }
    let back = Numbers(expected.values, [2, 2, 3, 2])
    expectClose(results[3], Numbers([2, 3, 4]) { back[$0[0], $0[2] / 2, $0[1], $0[2] % 2] })
  }

  /// In bfloat16 the sum of 4096 equal terms would stop at 256.
  @Test func halfPrecisionIsNormalizedInSinglePrecision() throws {
    let x = Numbers([Double](repeating: 1, count: 4096), nil, .bfloat16)
    let results = try evaluate([x]) {
      [$0[0].softmax(), $0[0].rmsNormalized(), $0[0].logSoftmax()]
    }
    #expect(results.allSatisfy { $0.dtype == .bfloat16 })
    #expect(results[0].values[7] == 0x1p-12)
    #expect(results[1].values[7] == 1)
  }

  static let heads = [
    Numbers.random([2, 3, 2, 4]), .random([2, 5, 2, 4], seed: 2), .random([2, 5, 2, 4], seed: 3),
  ]
  static let mask = Numbers([3, 5], .bool) { $0[1] <= $0[0] + 1 ? 1 : 0 }

  @Test(arguments: [false, true]) func attention(_ masked: Bool) throws {
    let (q, k, v) = (Self.heads[0], Self.heads[1], Self.heads[2])
    let result = try evaluate(Self.heads + [Self.mask]) {
      [
        $0[0].attention(
          keys: $0[1], values: $0[2],
          masked ? AttentionOptions(scale: 0.7, mask: .full($0[3])) : AttentionOptions())
      ]
    }[0]
    let expected = Numbers([2, 3, 2, 4]) { place in
      let scores = (0..<5).map { token -> Double in
        if masked, Self.mask[place[1], token] == 0 { return -.infinity }
        return (masked ? 0.7 : 0.5)
          * (0..<4).reduce(0) {
            $0 + q[place[0], place[1], place[2], $1] * k[place[0], token, place[2], $1]
          }
      }
      return zip(0..<5, Self.softmax(scores)).reduce(0) {
        $0 + $1.1 * v[place[0], $1.0, place[2], place[3]]
      }
    }
    expectClose(result, expected)
  }

  @Test func losses() throws {
    let logits = Numbers.random([3, 4], in: -2...2)
    let results = try evaluate([logits, Numbers([2, 0, 3], nil, .int32), Self.x]) {
      [$0[0].crossEntropy($0[1]), $0[2].meanPerSample(), $0[1].cast(to: .float64).meanPerSample()]
    }
    let probabilities = Self.rows(logits, Self.softmax)
    let labels = [2, 0, 3]
    expectClose(results[0].values, (0..<3).map { -log(probabilities[$0, labels[$0]]) })
    expectClose(results[1].values, [0, 12].map { Self.x.values[$0..<$0 + 12].reduce(0, +) / 12 })
    #expect(results[2].values == [2, 0, 3])
  }

  @Test(arguments: [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)])
  func pooling(_ size: Int, _ stride: Int, _ padding: Int) throws {
    let x = Numbers.random([2, 6, 5, 3])
    let results = try evaluate([x]) {
      [
        $0[0].maxPool(size, stride: stride, padding: padding),
        $0[0].averagePool(size, stride: stride, padding: padding),
      ]
    }
    let shape = [2] + [6, 5].map { ($0 + 2 * padding - size) / stride + 1 } + [3]
    let window = { (place: [Int]) -> [Double] in
      Numbers.places([size, size]).compactMap { tap in
        let (i, j) = (place[1] * stride + tap[0] - padding, place[2] * stride + tap[1] - padding)
        guard (0..<6).contains(i), (0..<5).contains(j) else { return nil }
        return x[place[0], i, j, place[3]]
      }
    }
    expectClose(results[0], Numbers(shape) { window($0).max()! })
    expectClose(results[1], Numbers(shape) { window($0).reduce(0, +) / Double(size * size) })
    try expectGradient(at: [x], directions: 1) {
      [
        $0[0].maxPool(size, stride: stride, padding: padding),
        $0[0].squared().averagePool(size, stride: stride, padding: padding),
      ]
    }
  }

  @Test func upsampling() throws {
    let x = Numbers.random([2, 2, 3, 2])
    let result = try evaluate([x]) { [$0[0].upsampledNearest(3)] }[0]
    expectClose(result, Numbers([2, 6, 9, 2]) { x[$0[0], $0[1] / 3, $0[2] / 3, $0[3]] })
  }

  static let gradients: [GradientCase] = [
    GradientCase("softmax", [2, 3, 4]) { [$0[0].softmax(), $0[0].softmax(1), $0[0].logSoftmax()] },
    GradientCase("normalized", [2, 3, 4]) { [$0[0].normalized(), $0[0].normalized([0, 2])] },
    GradientCase("rmsNormalized", [2, 3, 4]) { [$0[0].rmsNormalized()] },
    GradientCase("groupNormalized", [2, 2, 3, 4]) { [$0[0].groupNormalized(2)] },
    GradientCase("attention", heads + [mask]) {
      [
        $0[0].attention(keys: $0[1], values: $0[2], AttentionOptions(mask: .full($0[3]))),
        $0[0].attention(keys: $0[1], values: $0[2]),
      ]
    },
    GradientCase("crossEntropy", [.random([3, 4]), Numbers([2, 0, 3], nil, .int32)]) {
      [$0[0].crossEntropy($0[1])]
    },
    GradientCase("upsampledNearest", [1, 2, 3, 2]) { [$0[0].squared().upsampledNearest(2)] },
  ]

  @Test(arguments: gradients) func gradient(_ some: GradientCase) throws { try some.check() }
}
