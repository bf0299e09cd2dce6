import Tensors
import TestSupport
import Testing

@testable import Layers

/// Adapters are bound beside the weights and change the maps as if they were merged.
@Suite struct AdapterTests {
  /// A stack with fused maps, whose queries alone have an adapter, and a map of its own.
  private static func build(_ scope: Scope, _ execution: StackExecution) -> (Tensor) -> Tensor {
    let stack = Stack(scope / "stack", count: 3, execution: execution) {
      SelfAttention($0 / "attention", width: 8, heads: 2)
    }
    let last = scope.linear("last", 8, 5, from: .hidden, to: .embed)
    return { x in last(stack(x) { $1 + $0($1) }) }
  }

  private static let base = Scope.declare { build($0, .unrolled) }

  /// Two adapters, both of them on the last map.
  private static let adapters: Named<ParameterSpec> = {
    var all = Named<ParameterSpec>()
    for (name, path, rank) in [
      ("one", "stack.*.attention.to_q", 2), ("one", "stack.*.attention.to_out.0", 3),
      ("one", "last", 2), ("two", "last", 4),
    ] {
      all.merge(
        Adapter.specs(of: name, path: path, matrix: base["\(path).weight"]!, rank: rank))
    }
    return all
  }()

  @Test func tensorsFollowTheMatrix() {
    let shapes = Self.adapters.mapValues(\.shape.sizes)
    #expect(shapes["stack.*.attention.to_q.lora.one.A"] == [3, 2, 8])
    #expect(shapes["stack.*.attention.to_q.lora.one.B"] == [3, 8, 2])
    #expect(shapes["stack.*.attention.to_q.lora.one.scale"] == [3, 2])
    #expect(shapes["last.lora.two.B"] == [5, 4] && shapes["last.lora.two.scale"] == [4])
    #expect(Self.adapters["last.lora.two.A"]?.axes == [nil, .hidden])
    #expect(Self.adapters["last.lora.two.B"]?.axes == [.embed, nil])
    #expect(Self.adapters["stack.*.attention.to_q.lora.one.B"]?.axes == [nil, .heads, nil])
    #expect(Self.adapters.names.allSatisfy(Adapter.isPart))
    #expect(!Self.base.names.contains(where: Adapter.isPart))
    #expect(!Adapter.isPart("last.lora_A.weight") && !Adapter.isPart("lora.one.A"))
  }

  /// On matrices as they are, and on those in 8 bits, which no merging could change exactly.
  @Test(arguments: StackExecution.allCases, [false, true])
  func boundAdaptersComputeAsMergedOnes(execution: StackExecution, quantized: Bool) throws {
    let build = { (scope: Scope) in Self.build(scope, execution) }
    let all = Self.base.merging(Self.adapters)
    var inputs = all.pairs.enumerated().map {
      Numbers.random($1.value.shape.sizes, seed: UInt64($0 + 1), in: -0.6...0.6)
    }
    inputs.append(Numbers.random([2, 4, 8], seed: 99))
    let results = try evaluate(inputs) { given in
      let tensors = Named(zip(all.names, given))
      var weights = tensors.filter { Self.base[$0] != nil }
      if quantized { weights = weights.quantized { Self.base[$0]!.isMatrix } }
      let adapters = tensors.filter(Adapter.isPart)
      let plain = weights.dequantized()
      let one = adapters.filter { $0.contains(".one.") }
      return [
        Scope.bind(weights.merging(adapters), build)(given.last!),
        Scope.bind(plain.merging(adapters).mergingAdapters(), build)(given.last!),
        Scope.bind(weights.merging(one), build)(given.last!),
        Scope.bind(plain.merging(one).mergingAdapters(), build)(given.last!),
        Scope.bind(weights, build)(given.last!),
      ]
    }
    for pair in [0, 2] {
      expectClose(results[pair], results[pair + 1], relative: 1e-5, absolute: 1e-5)
    }
    for (a, b) in [(0, 2), (2, 4)] {
      #expect(zip(results[a].values, results[b].values).contains { abs($0 - $1) > 0.01 })
    }
  }

  /// Beside LoRA that is trained, whose gradients take the adapters into account.
  @Test func adaptersAndTrainedLoRAAddUp() throws {
    let lora = LoRA(rank: 2, alpha: 3, layers: ["inner"])
    let build = { (scope: Scope) in scope.linear("inner", 4, 3) }
    let declared = Scope.declare(lora: lora, build)
    let adapter = Adapter.specs(
      of: "a", path: "inner", matrix: declared["inner.weight"]!, rank: 1)
    let all = declared.merging(adapter)
    var inputs = all.pairs.enumerated().map {
      Numbers.random($1.value.shape.sizes, seed: UInt64($0 + 1))
    }
    inputs.append(Numbers.random([2, 4], seed: 99))
    let results = try evaluate(inputs) { given in
      let weights = Named(zip(all.names, given))
      let trained = weights.filter(LoRA.isFactor)
      let beside = Scope.bind(weights, lora: lora, build)(given.last!)
      let base = weights.filter { !LoRA.isFactor($0) }.mergingAdapters()
      let merged = Scope.bind(base.merging(trained), lora: lora, build)(given.last!)
      return [beside, merged].flatMap {
        [$0] + $0.squared().sum().gradients(for: trained).values
      }
    }
    for i in 0..<3 { expectClose(results[i], results[3 + i], relative: 1e-9, absolute: 1e-9) }
  }
}
