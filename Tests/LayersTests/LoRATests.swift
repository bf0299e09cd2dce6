import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite struct LoRATests {
  private static let lora = LoRA(rank: 2, alpha: 6, layers: ["inner", "one.two"])

  private static func build(_ scope: Scope) -> (Tensor) -> Tensor {
    let stack = Stack(scope / "stack", count: 3) { $0.linear("inner", 4, 4) }
    let (named, other) = (
      (scope / "one").linear("two", 4, 5), (scope / "one").linear("twofold", 5, 3)
    )
    return { x in other(named(stack(x) { $0($1) })) }
  }

  @Test func liesBesideTheMapsThatAreNamed() {
    let plain = Scope.declare { Self.build($0) }
    let with = Scope.declare(lora: Self.lora) { Self.build($0) }
    let added = with.filter { plain[$0] == nil }.mapValues(\.shape.sizes)
    #expect(
      added
        == Named<[Int]>([
          ("stack.*.inner.lora_A.weight", [3, 2, 4]), ("stack.*.inner.lora_B.weight", [3, 4, 2]),
          ("one.two.lora_A.weight", [2, 4]), ("one.two.lora_B.weight", [5, 2]),
        ]))
    #expect(with.names.filter(Self.lora.trains) == added.names)
    #expect(with["one.two.lora_B.weight"]?.initializer == .zeros)
  }

  @Test func mergedWeightsComputeTheSame() throws {
    let declared = Scope.declare(lora: Self.lora) { Self.build($0) }
    var inputs = declared.pairs.enumerated().map {
      Numbers.random($1.value.shape.sizes, seed: UInt64($0))
    }
    inputs.append(Numbers.random([2, 4], seed: 99))
    let function = try HostFunction(inputs.map(\.type)) { given in
      let weights = Named(zip(declared.names, given))
      let (adapted, plain) = (
        Scope.bind(weights, lora: Self.lora) { Self.build($0) },
        Scope.bind(Self.lora.merged(weights)) { Self.build($0) }
      )
      let bare = Scope.bind(weights.filter { !LoRA.isFactor($0) }) { Self.build($0) }
      return [adapted(given.last!), plain(given.last!), bare(given.last!)]
    }
    let results = try function(inputs)
    expectClose(results[0], results[1], relative: 1e-12, absolute: 1e-12)
    #expect(zip(results[0].values, results[2].values).contains { abs($0 - $1) > 0.01 })
  }
}
