import TestSupport
import Tensors
import Testing

@testable import Layers

@Suite struct QuantizedTensorTests {
  /// A matrix whose rows differ in magnitude by 10,000; the last is zero.
  static let matrix = Numbers([4, 6]) { place in
    let size = [100, 1, 0.01, 0][place[0]]
    return size * Numbers.random([4, 6])[place[0], place[1]]
  }

  /// What a number of a row becomes: 127 steps from zero to the row's largest magnitude.
  static func expected(_ row: Int, _ column: Int) -> Double {
    let largest = (0..<6).map { abs(matrix[row, $0]) }.max()!
    guard largest > 0 else { return 0 }
    let scale = largest / 127
    return (matrix[row, column] / scale).rounded(.toNearestOrEven) * scale
  }

  @Test func eachRowIsRoundedToStepsOfItsOwnScale() throws {
    let result = try evaluate([Self.matrix]) { [QuantizedTensor($0[0]).dequantized(to: .float64)] }
    for row in 0..<4 {
      let largest = (0..<6).map { abs(Self.matrix[row, $0]) }.max()!
      for column in 0..<6 {
        let found = result[0][row, column]
        #expect(abs(found - Self.expected(row, column)) <= 1e-5 * largest)
        #expect(abs(found - Self.matrix[row, column]) <= largest / 253)
      }
    }
  }

  @Test func aMapMultipliesByTheDequantizedMatrix() throws {
    let x = Numbers.random([3, 6], seed: 9)
    let result = try evaluate([x, Self.matrix]) { tensors in
      let base = LinearMap.Base.quantized(QuantizedTensor(tensors[1]))
      return [LinearMap(base: base, bias: nil, lora: [], output: 4)(tensors[0])]
    }
    for row in 0..<3 {
      for output in 0..<4 {
        let exact = (0..<6).reduce(0) { $0 + x[row, $1] * Self.expected(output, $1) }
        #expect(abs(result[0][row, output] - exact) <= 1e-5 * (1 + abs(exact)))
      }
    }
  }

  /// Maps in a stack, three of them fused, and one of its own, with LoRA beside some.
  private static func build(_ scope: Scope, _ execution: StackExecution) -> (Tensor) -> Tensor {
    let stack = Stack(scope / "stack", count: 3, execution: execution) {
      SelfAttention($0 / "attention", width: 8, heads: 2)
    }
    let last = scope.linear("last", 8, 5, from: .hidden, to: .embed)
    return { x in last(stack(x) { $1 + $0($1) }) }
  }

  private static let lora = LoRA(rank: 2, alpha: 2, layers: ["to_q", "to_out"])

  @Test func onlyMatricesOfLinearMapsHaveScales() {
    let declared = Scope.declare(lora: Self.lora) { Self.build($0, .unrolled) }
    let matrices = declared.pairs.filter(\.value.isMatrix).map(\.name)
    #expect(
      matrices == ["to_q", "to_k", "to_v", "to_out.0"].map { "stack.*.attention.\($0).weight" }
        + ["last.weight"])
    let all = declared.arrays { declared[$0]!.isMatrix ? .int8 : .float32 }
    #expect(all.count == declared.count + 5)
    let scales = all["stack.*.attention.to_q.weight_scale"]
    #expect(scales?.type == TensorType([3, 8], .float32))
    #expect(scales?.sharding.axes == [nil, .heads])
    #expect(all["last.weight_scale"]?.sharding.axes == [.embed])
  }

  /// Two groups a row; in 4 bits two columns are one element.
  @Test func groupsOfColumnsHaveScales() {
    let matrix = ParameterSpec(
      shape: [3, 4, 64], initializer: .zeros, axes: [nil, .heads, .embed], isMatrix: true)
    let four = WeightStorage.int4.arrays(of: "w", matrix)
    #expect(four.names == ["w", "w_scale"])
    #expect(four["w"]?.type == TensorType([3, 4, 32], .uint8))
    #expect(four["w_scale"]?.type == TensorType([3, 4, 2], .float16))
    #expect(four["w_scale"]?.sharding.axes == [nil, .heads, .embed])
    let eight = WeightStorage.quantized(.int8Groups).arrays(of: "w", matrix)
    #expect(eight["w"]?.type == TensorType([3, 4, 64], .int8))
    #expect(eight["w_scale"]?.type == TensorType([3, 4, 2], .float16))
    // Four devices would have 16 columns each.
    #expect(WeightStorage.int4.fitting(matrix) == .int4)
    #expect(WeightStorage.int4.fitting(matrix, Mesh(fsdp: 2)) == .int4)
    #expect(WeightStorage.int4.fitting(matrix, Mesh(fsdp: 4)) == .int8)
  }

  /// A matrix `[2, 64]` in each form, by its definition.
  static let forms: [(Quantization, DType, values: [Int], numbers: @Sendable (Int) -> Double)] = [
    (.int8, .int8, (0..<128).map { $0 - 64 }, { Double($0 - 64) * [0.5, -2][$0 / 64] }),
    (
      .int8Groups, .int8, (0..<128).map { 63 - $0 },
      { Double(63 - $0) * [0.5, -2, 0.25, 8][$0 / 32] }
    ),
    (
      .int4, .uint8, (0..<64).map { $0 * 37 % 256 },
      { place in
        let (group, column) = (place / 32, place % 32)
        let byte = (16 * group + column % 16) * 37 % 256
        return Double((column < 16 ? byte % 16 : byte / 16) - 8) * [0.5, -2, 0.25, 8][group]
      }
    ),
    (
      .float8e4m3, .float8e4m3, (0..<128).map { $0 - 64 },
      // Four significant bits.
      { Double($0 - 64).rounded(bits: 4) * [0.5, -2][$0 / 64] }
    ),
    (
      .float8e5m2, .float8e5m2, (0..<128).map { $0 - 64 },
      { Double($0 - 64).rounded(bits: 3) * [0.5, -2][$0 / 64] }
    ),
  ]

  @Test(arguments: forms.indices) func everyFormIsDequantizedByItsDefinition(index: Int) throws {
    let (form, dtype, values, numbers) = Self.forms[index]
    let shape: Shape = [2, 64]
    let scales: [Double] = form.hasGroups ? [0.5, -2, 0.25, 8] : [0.5, -2]
    let x = Numbers.random([3, 64], seed: 5)
    let inputs = [
      Numbers(values.map(Double.init), form.values(of: shape).sizes, dtype),
      Numbers(scales, form.scales(of: shape).sizes, form.scaleType), x.cast(to: .float32),
    ]
    let results = try evaluate(inputs) { given in
      let matrix = QuantizedTensor(values: given[0], scales: given[1], form)
      #expect(Quantization(values: given[0].type, scales: given[1].type) == form)
      let map = LinearMap(base: .quantized(matrix), bias: nil, lora: [], output: 2)
      let fused = FusedMaps([map, map])
      return [matrix.dequantized(to: .float64), map(given[2]), fused(given[2])]
    }
    let expected = (0..<128).map(numbers)
    #expect(results[0].values == expected)
    for row in 0..<3 {
      for output in 0..<2 {
        let exact = (0..<64).reduce(0) { $0 + x[row, $1] * expected[64 * output + $1] }
        #expect(abs(results[1][row, output] - exact) <= 1e-3)
        #expect(abs(results[2][row, 1, output] - exact) <= 1e-3)
      }
    }
  }

  /// Values, and gradients of the input and of LoRA's factors.
  @Test(arguments: StackExecution.allCases)
  func quantizedNetworksComputeAsDequantizedOnes(execution: StackExecution) throws {
    let build = { (scope: Scope) in Self.build(scope, execution) }
    let declared = Scope.declare(lora: Self.lora, build)
    var inputs = declared.pairs.enumerated().map {
      Numbers.random($1.value.shape.sizes, seed: UInt64($0 + 1), in: -0.3...0.3)
    }
    inputs.append(Numbers.random([2, 4, 8], seed: 99))
    let results = try evaluate(inputs) { given in
      let weights = Named(zip(declared.names, given))
      let x = given.last!
      let quantized = weights.quantized { declared[$0]!.isMatrix }
      #expect(quantized["stack.*.attention.to_k.weight"]?.dtype == .int8)
      let factors = weights.filter(LoRA.isFactor).values
      return [quantized, quantized.dequantized(), weights].flatMap { weights in
        let y = Scope.bind(weights, lora: Self.lora, build)(x)
        return [y] + y.squared().sum().gradients(for: [x] + factors)
      }
    }
    let count = results.count / 3
    for i in 0..<count {
      expectClose(results[i], results[count + i], relative: 1e-5, absolute: 1e-5)
    }
    #expect(zip(results[0].values, results[2 * count].values).contains { abs($0 - $1) > 1e-3 })
    #expect(results[1..<count].allSatisfy { $0.values.contains { $0 != 0 } })
  }

  @Test func mergingLoRANeedsNoQuantizedMatrices() throws {
    let build = { (scope: Scope) in Self.build(scope, .unrolled) }
    let declared = Scope.declare(lora: Self.lora, build)
    var inputs = declared.pairs.enumerated().map {
      Numbers.random($1.value.shape.sizes, seed: UInt64($0 + 1))
    }
    inputs.append(Numbers.random([2, 4, 8], seed: 99))
    let results = try evaluate(inputs) { given in
      let weights = Named(zip(declared.names, given)).quantized { declared[$0]!.isMatrix }
      let merged = Self.lora.merged(weights.dequantized().mapValues { $0.cast(to: .float32) })
      return [
        Scope.bind(weights, lora: Self.lora, build)(given.last!),
        Scope.bind(merged, build)(given.last!),
      ]
    }
    expectClose(results[0], results[1], relative: 1e-5, absolute: 1e-5)
  }
}

extension Double {
  /// The nearest number with so many significant bits, ties to even.
  fileprivate func rounded(bits: Int) -> Double {
    guard self != 0 else { return 0 }
    let step = Double(sign: .plus, exponent: exponent - bits + 1, significand: 1)
    return (self / step).rounded(.toNearestOrEven) * step
  }
}
