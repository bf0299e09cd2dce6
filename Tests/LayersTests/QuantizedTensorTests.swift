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
    let all = declared.withScales { declared[$0]!.isMatrix }
    #expect(all.count == declared.count + 5)
    let scales = all["stack.*.attention.to_q.weight_scale"]
    #expect(scales?.shape == [3, 8] && scales?.axes == [nil, .heads])
    #expect(all["last.weight_scale"]?.axes == [.embed])
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
