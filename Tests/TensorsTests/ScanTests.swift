import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct ScanTests {
  @Test(arguments: [false, true]) func sumsAndOutputs(_ reversed: Bool) throws {
    let x = Numbers([1, 2, 3, 4, 5, 6], [3, 2])
    let results = try evaluate([Numbers([10, 20]), x]) { inputs in
      let (carry, outputs) = scan([inputs[0]], [inputs[1]], reversed: reversed) {
        ([$0[0] + $1[0]], [$0[0], $1[0] * inputs[0]])
      }
      return carry + outputs
    }
    #expect(results[0].values == [19, 32])
    #expect(results[1].values == (reversed ? [18, 30, 15, 26, 10, 20] : [10, 20, 11, 22, 14, 26]))
    #expect(results[2].values == [10, 40, 30, 80, 50, 120])
  }

  @Test func withoutCarryOrInputs() throws {
    let results = try evaluate([Numbers([1, 2, 3, 4, 5, 6], [3, 2])]) { inputs in
      let mapped = scan([], inputs) { ([], [$1[0].squared()]) }.outputs
      let counted = scan([.constant(1, .float64)], length: 5) { state, _ in ([state[0] * 2], []) }
      let constant = scan([inputs[0][0]], length: 2) { state, _ in (state, [.constant(7, .int32)]) }
      return [mapped[0], counted.carry[0]] + constant.outputs
    }
    #expect(results.map(\.values) == [[1, 4, 9, 16, 25, 36], [32], [7, 7]])
  }

  /// Matrices that rounds widen and join are kept as they were given, not once more as they are used.
  @Test func rearrangedInputsAreNotKeptForTheGradient() throws {
    let inputs = [
      Numbers.random([2, 6]), .random([4, 3, 6], seed: 2, .float32),
      .random([4, 3, 6], seed: 3, .float32),
    ]
    func gradients(recomputed: Bool) throws -> (values: [Numbers], text: String) {
      let function = try HostFunction(inputs.map(\.type)) { inputs in
        let end = scan([inputs[0]], [inputs[1], inputs[2]], recomputed: recomputed) { state, rows in
          let joined = Tensor.concatenate(rows.map { $0.cast(to: .float64) }, axis: 0)
          return ([state[0].matmul(joined).tanh()], [])
        }
        return end.carry[0].sum().gradients(for: inputs)
      }
      return (try function(inputs), function.text)
    }
    let (kept, again) = (try gradients(recomputed: false), try gradients(recomputed: true))
    for (a, b) in zip(kept.values, again.values) { expectClose(a, b, relative: 1e-10) }
    #expect(!kept.text.contains("tensor<4x6x6xf64>") && !kept.text.contains("tensor<4x3x6xf64>"))
  }

  static let weight = Numbers.random([3, 3], seed: 9)

  /// A recurrent network: carried, inputs, captured tensors, outputs, and a counter that has no
  /// gradient.
  static func network(
    _ inputs: [Tensor], reversed: Bool = false, recomputed: Bool = false
  ) -> [Tensor] {
    let result = scan(
      [inputs[0], .constant(0, .int32)], [inputs[1]], reversed: reversed, recomputed: recomputed
    ) { state, row in
      let h = (state[0].matmul(inputs[2]) + row[0]).tanh()
      let scaled = h * (state[1].cast(to: .float64) + 1)
      return ([scaled * 0.5, state[1] + 1], [h.squared(), scaled.sum()])
    }
    return [result.carry[0]] + result.outputs
  }

  static let inputs = [Numbers.random([2, 3]), .random([4, 2, 3], seed: 2), weight]

  /// The same in plain Swift.
  static func expected(_ inputs: [Numbers], reversed: Bool) -> (Numbers, Numbers) {
    var state = inputs[0]
    var squares = [Double](repeating: 0, count: 24)
    for round in 0..<4 {
      let row = reversed ? 3 - round : round
      let old = state
      for place in Numbers.places([2, 3]) {
        let sum = (0..<3).reduce(inputs[1][row, place[0], place[1]]) {
          $0 + old[place[0], $1] * inputs[2][$1, place[1]]
        }
        let h = tanh(sum)
        squares[row * 6 + place[0] * 3 + place[1]] = h * h
        state.values[place[0] * 3 + place[1]] = 0.5 * h * Double(round + 1)
      }
    }
    return (state, Numbers(squares, [4, 2, 3]))
  }

  @Test(arguments: [false, true], [false, true])
  func networkAndItsGradient(_ reversed: Bool, _ recomputed: Bool) throws {
    let results = try evaluate(Self.inputs) {
      Self.network($0, reversed: reversed, recomputed: recomputed)
    }
    let (state, squares) = Self.expected(Self.inputs, reversed: reversed)
    expectClose(results[0], state, relative: 1e-12)
    expectClose(results[1], squares, relative: 1e-12)
    try expectGradient(at: Self.inputs) {
      Self.network($0, reversed: reversed, recomputed: recomputed)
    }
  }

  @Test(arguments: [false, true]) func nested(_ recomputed: Bool) throws {
    try expectGradient(at: Self.inputs) { inputs in
      scan([inputs[0]], [inputs[1]], recomputed: recomputed) { state, row in
        let inner = scan([state[0]], [inputs[2]], recomputed: recomputed) { part, weights in
          ([(part[0] * weights[0] + row[0]).sin()], [part[0].sum()])
        }
        return (inner.carry, [inner.outputs[0] * inputs[2].sum()])
      }.outputs
    }
  }

  @Test func insideACheckpointAndAroundOne() throws {
    try expectGradient(at: Self.inputs) { inputs in
      let inside = checkpoint(inputs) { Self.network($0) }
      let around = scan([inputs[0]], [inputs[1]]) { state, row in
        let y = checkpoint([state[0], row[0]]) { [$0[0].matmul(inputs[2]).tanh() * $0[1]] }
        return (y, y)
      }
      return inside + around.outputs
    }
  }

  @Test func twoLoopsThatShareInputs() throws {
    try expectGradient(at: Self.inputs) { inputs in
      let first = Self.network(inputs)
      let second = Self.network([first[0], inputs[1], inputs[2]], reversed: true)
      return first + second
    }
  }

  @Test func takingFromAnotherLoopsOutputs() throws {
    try expectGradient(at: Self.inputs) { inputs in
      let first = Self.network(inputs)[1]
      return scan([inputs[0]], [first, inputs[1]]) { state, rows in
        ([state[0] * rows[0] + rows[1].sin() * first.sum()], [state[0].exp()])
      }.outputs
    }
  }

  /// Values and gradients need one loop forwards, with what the gradient needs, and one back.
  @Test(arguments: [false, true]) func loopsAreEmittedOnce(_ recomputed: Bool) throws {
    let function = try HostFunction(Self.inputs.map(\.type)) {
      let values = Self.network($0, recomputed: recomputed)
      let loss = values[0].sum() + values[1].sum()
      return values + loss.gradients(for: $0)
    }
    #expect(function.text.occurrences(of: "stablehlo.while") == 2)
    #expect(function.text.occurrences(of: "stablehlo.tanh") == (recomputed ? 2 : 1))
  }

  /// The same for a loop within a loop: two forwards, two back.
  @Test func innerLoopsAreEmittedOnce() throws {
    let function = try HostFunction(Self.inputs.map(\.type)) { inputs in
      let value = scan([inputs[0]], [inputs[1]]) { state, row in
        let inner = scan([state[0]], [inputs[2]]) { ([($0[0] * $1[0] + row[0]).sin()], []) }
        return (inner.carry, [])
      }.carry[0].sum()
      return [value] + value.gradients(for: inputs)
    }
    #expect(function.text.occurrences(of: "stablehlo.while") == 4)
    #expect(function.text.occurrences(of: "stablehlo.sine") == 1)
  }

  @Test func changedTypesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = scan([.zeros([2], .float32)], length: 2) { state, _ in ([state[0].sum()], []) }
    }
    await #expect(processExitsWith: .failure) {
      _ = scan([], [.zeros([2], .float32), .zeros([3], .float32)]) { _, rows in ([], rows) }
    }
    await #expect(processExitsWith: .failure) { _ = scan([]) { ($0, $1) } }
  }
}
