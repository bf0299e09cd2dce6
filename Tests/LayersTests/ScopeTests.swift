import Layers
import Tensors
import TestSupport
import Testing

@Suite struct ScopeTests {
  struct Network {
    let first: LinearMap
    let second: LinearMap
    let stack: Stack<LinearMap>

    init(_ scope: Scope) {
      first = scope.linear("first", 3, 4)
      second = (scope / "parts").linear("2", 4, 4, bias: false)
      stack = Stack(scope / "blocks", count: 5) {
        $0.linear("inner", 4, 4, initial: .normal(0.1))
      }
    }
  }

  @Test func declaresNamesShapesAndInitialValuesInOrder() {
    let weights = Scope.declare(Network.init)
    #expect(
      weights.names == [
        "first.weight", "first.bias", "parts.2.weight", "blocks.*.inner.weight",
        "blocks.*.inner.bias",
      ])
    #expect(
      weights.values.map(\.shape) == [[4, 3], [4], [4, 4], [5, 4, 4], [5, 4]])
    #expect(weights["first.weight"]!.initializer == .xavier(3, 4))
    #expect(weights["first.bias"]!.initializer == .zeros)
    #expect(weights["blocks.*.inner.weight"]!.initializer == .stacked(.normal(0.1)))
    #expect(weights.types(.bfloat16).values.map(\.dtype) == [DType](repeating: .bfloat16, count: 5))
  }

  static func zeros(_ weights: Named<ParameterSpec>) -> Named<Tensor> {
    weights.mapValues { .zeros($0.shape, .float32) }
  }

  @Test func bindsWhatItDeclares() {
    let network = Scope.bind(Self.zeros(Scope.declare(Network.init)), Network.init)
    #expect(network.second(Tensor.zeros([2, 4], .float32)).shape == [2, 4])
    #expect(network.stack.count == 5)
  }

  @Test func paths() {
    let scope = Scope(Named()) / "a" / 3 / "b.c"
    #expect(scope.path == "a.3.b.c")
    #expect(Scope(Named()).path.isEmpty)
  }

  @Test func missingWeightsTrap() async {
    await #expect(processExitsWith: .failure) {
      var weights = ScopeTests.zeros(Scope.declare(Network.init))
      weights["first.bias"] = nil
      _ = Network(Scope(weights))
    }
  }

  @Test func unusedWeightsTrap() async {
    await #expect(processExitsWith: .failure) {
      var weights = ScopeTests.zeros(Scope.declare(Network.init))
      weights["stranger"] = .zeros([1], .float32)
      _ = Scope.bind(weights, Network.init)
    }
  }

  @Test func misshapenWeightsTrap() async {
    await #expect(processExitsWith: .failure) {
      var weights = ScopeTests.zeros(Scope.declare(Network.init))
      weights["first.bias"] = .zeros([5], .float32)
      _ = Network(Scope(weights))
    }
  }

  @Test func weightsAskedForTwiceTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Scope.declare { scope in [scope.linear("a", 2, 2), scope.linear("a", 2, 2)] }
    }
  }
}
