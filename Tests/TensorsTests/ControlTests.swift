import TestSupport
import Testing

@testable import Tensors

@Suite struct ControlTests {
  /// Halves until below a bound that comes from outside, and counts.
  @Test func loopsRepeatWhileTheConditionHolds() throws {
    let results = try evaluate([Numbers([10], []), Numbers([1], []), Numbers([2], [])]) { inputs in
      loop([inputs[0], .constant(0, .int32)]) {
        $0[0].greater(inputs[1])
      } _: {
        [$0[0] / inputs[2], $0[1] + 1]
      }
    }
    #expect(results.map(\.values) == [[0.625], [4]])
  }

  @Test func loopsNest() throws {
    let results = try evaluate([Numbers([0], [])]) {
      loop([$0[0], .constant(0, .int32)]) {
        $0[1].less(3)
      } _: { outer in
        let inner = loop([outer[0], .constant(0, .int32)]) {
          $0[1].less(outer[1])
        } _: {
          [$0[0] + 1, $0[1] + 1]
        }
        return [inner[0] + 10, outer[1] + 1]
      }
    }
    #expect(results[0].values == [33])
  }

  @Test func loopsHaveNoGradient() async {
    await #expect(processExitsWith: .failure) {
      let x = Tensor.placeholder(TensorType([], .float32))
      _ = loop([x]) {
        $0[0].less(1)
      } _: {
        [$0[0] * 2]
      }[0].gradients(for: [x])
    }
  }

  @Test func barriersKeepValuesAndGradients() throws {
    let (x, y) = (Numbers.random([3]), Numbers.random([2], seed: 2))
    let results = try evaluate([x, y]) { barrier($0) + [$0[0].barrier()] + barrier([]) }
    #expect(results.map(\.values) == [x.values, y.values, x.values])
    try expectGradient(at: [x, y]) {
      let held = barrier([$0[0].squared(), $0[1].sin(), $0[0].exp()])
      return [held[0] * $0[0], held[1]]
    }
  }

  static func block(_ x: Tensor, _ w: Tensor) -> Tensor {
    let h = x.matmul(w).tanh()
    return h * x.sum([-1], keep: true).sin()
  }

  @Test func checkpointsGiveTheSameGradients() throws {
    let inputs = [Numbers.random([2, 3]), .random([3, 3], seed: 2)]
    let function = { (inputs: [Tensor], kept: Bool) -> [Tensor] in
      let (x, w) = (inputs[0], inputs[1])
      // The weight is taken from outside of the body.
      let y = kept ? Self.block(x, w) : checkpoint([x]) { [Self.block($0[0], w)] }[0]
      return [y.squared().sum()] + y.squared().sum().gradients(for: inputs)
    }
    let plain = try HostFunction(inputs.map(\.type)) { function($0, true) }
    let again = try HostFunction(inputs.map(\.type)) { function($0, false) }
    for (a, b) in zip(try plain(inputs), try again(inputs)) { expectClose(a, b, relative: 1e-12) }
    #expect(plain.text.occurrences(of: "stablehlo.tanh") == 1)
    #expect(again.text.occurrences(of: "stablehlo.tanh") == 2)
    try expectGradient(at: inputs) {
      [Self.block(checkpoint($0) { [Self.block($0[0], $0[1])] }[0], $0[1])]
    }
  }

  @Test func checkpointsTakeIntegersAndReturnManyResults() throws {
    try expectGradient(at: [.random([4, 3]), Numbers([2, 0, 2], nil, .int32)]) {
      let y = checkpoint($0) { [$0[0].take($0[1]).squared(), $0[1] + 1, $0[0].sin()] }
      return [y[0] * y[1].cast(to: .float64), y[2]]
    }
  }
}

extension String {
  /// How often a text occurs.
  func occurrences(of text: String) -> Int { ranges(of: text).count }
}
