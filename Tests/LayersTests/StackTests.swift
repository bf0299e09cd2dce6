import Layers
import Tensors
import TestSupport
import Testing

@Suite struct StackTests {
  struct Block {
    let norm: LayerNorm
    let linear: LinearMap

    init(_ scope: Scope) {
      norm = LayerNorm(scope / "norm", 4)
      linear = scope.linear("linear", 4, 4)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { x + linear(norm(x)).silu() }
  }

  /// The output, the loss' gradients by weights and input, and the text.
  static func run(_ execution: StackExecution) throws -> (results: [Numbers], text: String) {
    let build = { (scope: Scope) in
      Stack(scope / "blocks", count: 3, execution: execution) { Block($0) }
    }
    let weights = Scope.declare(build)
    let values = weights.values.enumerated().map {
      Numbers.random($1.shape.sizes, seed: UInt64($0 + 1), .float64)
    }
    let inputs = [Numbers.random([2, 4], seed: 9)] + values
    let function = try HostFunction(inputs.map(\.type)) { tensors in
      let stack = Scope.bind(Named(zip(weights.names, tensors.dropFirst())), build)
      // Something from outside that every layer uses.
      let outside = tensors[0].sum([0])
      let y = stack(tensors[0]) { block, x in block(x) + outside }
      return [y] + y.squared().sum().gradients(for: tensors)
    }
    return (try function(inputs), function.text)
  }

  @Test func allExecutionsAgree() throws {
    let all = try StackExecution.allCases.map { try Self.run($0) }
    for other in all.dropFirst() {
      for (a, b) in zip(other.results, all[0].results) {
        expectClose(a, b, relative: 1e-10, absolute: 1e-10)
      }
    }
    let loops = all.map { $0.text.ranges(of: "stablehlo.while").count }
    #expect(loops == StackExecution.allCases.map { $0 == .unrolled ? 0 : 2 })
    let barriers = all.map { $0.text.contains("optimization_barrier") }
    #expect(barriers == StackExecution.allCases.map { $0 == .unrolled })
  }

  @Test func layersAreAppliedInOrder() throws {
    struct Scale {
      let weight: Tensor
      init(_ scope: Scope) { weight = scope.weight("weight", [], .ones) }
    }
    for execution in StackExecution.allCases {
      let result = try evaluate([Numbers([1], []), Numbers([2, 3, 5])]) { tensors in
        let scope = Scope(Named([("s.*.weight", tensors[1])]))
        let stack = Stack(scope / "s", count: 3, execution: execution) { Scale($0) }
        return [stack(tensors[0]) { layer, x in x * layer.weight + 1 }]
      }
      #expect(result[0].values == [((1 * 2 + 1) * 3 + 1) * 5 + 1], "\(execution)")
    }
  }
}
