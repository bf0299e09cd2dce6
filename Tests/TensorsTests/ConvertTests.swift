import TestSupport
import Testing

@testable import Tensors

@Suite struct ConvertTests {
  static let numbers = [DType.bool] + DType.allCases.filter { $0 != .bool }

  @Test(arguments: numbers) func everyTypeBecomesEveryOther(_ from: DType) throws {
    let source = Numbers(from == .bool ? [0, 1, 1] : [0, 1, 3], nil, from)
    let results = try evaluate([source]) { inputs in Self.numbers.map { inputs[0].cast(to: $0) } }
    for (to, result) in zip(Self.numbers, results) {
      #expect(result.dtype == to)
      let expected = to == .bool ? [0, 1, 1] : source.values
      #expect(result.values == expected, "\(from) to \(to)")
    }
  }

  @Test func conversionToIntegersTruncates() throws {
    let result = try evaluate([Numbers([-1.7, -0.2, 0.9, 2.5])]) { [$0[0].cast(to: .int32)] }
    #expect(result[0].values == [-1, 0, 0, 2])
  }

  /// bfloat16 has eight significant bits; halves go to the even neighbor.
  @Test func bfloat16RoundsToNearestEven() throws {
    let ulp = 0x1p-7
    let x = [1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, 1 + 0.49 * ulp, -1 - ulp / 2]
    let expected = [1, 1 + 2 * ulp, 1 + ulp, 1, -1]
    let result = try evaluate([Numbers(x, nil, .float32)]) { inputs in
      [inputs[0].cast(to: .bfloat16)] + x.map { .constant($0, .bfloat16) }
    }
    #expect(result[0].values == expected)
    #expect(result.dropFirst().map { $0.values[0] } == expected)
  }

  @Test func constantsKeepTheirBits() throws {
    let values = [1.0 / 3, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, 1e300]
    let results = try evaluate { _ in
      values.map { .constant($0, .float64) } + [
        .constant(.nan, .bfloat16), .constant(.nan, .float16), .constant(.nan, .float32),
        .constant(-.infinity, .bfloat16), .constant(0.1, .float32), .constant(0.1, .float16),
        .constant(integer: .min, .int64), .constant(-3, .int8), .constant(1, .bool),
        .constant([1.5, 2.5] as [Float], shape: [2, 1]), .constant([7] as [UInt64], shape: [1]),
      ]
    }.map(\.values)
    for (value, result) in zip(values, results) {
      #expect(result[0].bitPattern == value.bitPattern)
    }
    #expect(results[6...8].allSatisfy { $0[0].isNaN })
    #expect(results[9] == [-.infinity])
    #expect(results[10] == [Double(Float(0.1))])
    #expect(results[11] == [Double(Float16(0.1))])
    #expect(results[12] == [-0x1p63])
    #expect(results[13...] == [[-3], [1], [1.5, 2.5], [7]])
  }

  @Test func bitsAreReadAsAnotherType() throws {
    let result = try evaluate([Numbers([1, -2], nil, .float32)]) { [$0[0].bitcast(to: .uint32)] }
    #expect(result[0].values == [0x3F80_0000, 0xC000_0000])
  }

  @Test func gradientsPassThroughFloats() throws {
    try expectGradient(at: [.random([5])], tolerance: 1e-7) {
      // Through whole numbers nothing passes, and the rest is differentiated.
      [$0[0].cast(to: .int32).cast(to: .float64) * 0 + $0[0].cast(to: .float64).squared()]
    }
    let result = try evaluate([Numbers([0.5, 2], nil, .bfloat16)]) {
      $0[0].cast(to: .float32).squared().sum().gradients(for: $0)
    }
    #expect(result[0].dtype == .bfloat16)
    #expect(result[0].values == [1, 4])
  }

  @Test func stopGradientKeepsOnlyTheValue() throws {
    let results = try evaluate([Numbers([2, 3])]) {
      let y = ($0[0] * $0[0].stopGradient()).sum()
      return [y] + y.gradients(for: $0) + $0[0].stopGradient().sum().gradients(for: $0)
    }
    #expect(results.map(\.values) == [[13], [2, 3], [0, 0]])
    let named = Named([("a", Tensor.placeholder(TensorType([2], .float32)))]).stopGradient()
    #expect(named["a"]!.node.operation is StopGradient)
  }
}
