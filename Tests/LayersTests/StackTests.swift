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

  /// Two streams that see each other, as in MMDiT.
  struct JointBlock {
    let image: LinearMap
    let text: LinearMap

    init(_ scope: Scope) {
      image = scope.linear("image", 4, 4)
      text = scope.linear("text", 3, 3)
    }

    func callAsFunction(_ x: Tensor, _ y: Tensor) -> [Tensor] {
      [x + image(x).tanh() * y.sum([-1], keep: true), y + text(y).sin() * x.mean([-1], keep: true)]
    }
  }

  /// In all executions: the last values and the chosen ones, and a loss' gradients by all inputs.
  static func streams(
    _ execution: StackExecution, layers: Range<Int>?, chosen: [Int], steps: Bool = false
  ) throws -> [Numbers] {
    let build = { (scope: Scope) in
      Stack(scope, count: 5, execution: execution) { JointBlock($0) }
    }
    let weights = Scope.declare(build)
    let values = weights.values.enumerated().map {
      Numbers.random($1.shape.sizes, seed: UInt64($0 + 1))
    }
    let inputs = [Numbers.random([2, 4], seed: 9), .random([2, 3], seed: 10)] + values
    return try evaluate(inputs) { tensors in
      let stack = Scope.bind(Named(zip(weights.names, tensors.dropFirst(2))), build)
      var state = Array(tensors[..<2])
      var kept: [[Tensor]] = []
      if steps {
        // Layer by layer, each a range of its own.
        var after: [Int: [Tensor]] = [:]
        for i in layers ?? 0..<5 {
          state = stack(state, layers: i..<i + 1) { $0($1[0], $1[1]) }
          after[i] = state
        }
        kept = chosen.map { after[$0]! }
      } else {
        let outputs = stack.outputs(state, layers: layers, after: chosen) { $0($1[0], $1[1]) }
        (state, kept) = (outputs.last, outputs.chosen)
      }
      let all = state + kept.flatMap(\.self)
      let loss = all.map { $0.squared().sum() }.reduce(.constant(0, .float64), +)
      return all + loss.gradients(for: tensors)
    }
  }

  @Test(
    arguments: [nil, 0..<5, 1..<4, 2..<5, 3..<3] as [Range<Int>?], [[], [3, 2], [4]] as [[Int]])
  func severalValuesAndChosenLayers(_ layers: Range<Int>?, _ chosen: [Int]) throws {
    let chosen = chosen.filter((layers ?? 0..<5).contains)
    let expected = try Self.streams(.unrolled, layers: layers, chosen: chosen, steps: true)
    for execution in StackExecution.allCases {
      let found = try Self.streams(execution, layers: layers, chosen: chosen)
      #expect(found.count == expected.count)
      for (a, b) in zip(found, expected) {
        expectClose(a, b, relative: 1e-10, absolute: 1e-10, "\(execution)")
      }
    }
  }

  /// A range of layers takes its weights from where all of them lie.
  @Test func rangesDoNotCopyWeights() throws {
    let function = try HostFunction([
      TensorType([7, 4, 4], .float32), TensorType([2, 4], .float32),
    ]) { tensors in
      let scope = Scope(Named([("stack.*.map.weight", tensors[0])]))
      let stack = Stack(scope / "stack", count: 7, execution: .scanned) {
        $0.linear("map", 4, 4, bias: false)
      }
      return [stack(tensors[1], layers: 2..<6) { $0($1) }]
    }
    #expect(!function.text.contains("\"stablehlo.slice\""))
    #expect(function.text.contains("tensor<7x4x4xf32>"))
  }
}
