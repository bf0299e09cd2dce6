import TestSupport
import Testing

@testable import Tensors

@Suite struct AttentionTests {
  @Test(arguments: AttentionCase.table) func values(_ some: AttentionCase) throws {
    let inputs = some.inputs()
    let result = try evaluate(inputs) { [some.run($0)] }[0]
    expectClose(result, some.expected(inputs), relative: 1e-10, absolute: 1e-12)
  }

  /// By queries, keys, values and the bias.
  @Test(arguments: AttentionCase.table) func gradients(_ some: AttentionCase) throws {
    try expectGradient(at: some.inputs(), directions: 1) { [some.run($0)] }
  }

  /// A packed tensor gives the same result as separate ones.
  @Test func packed() throws {
    let x = Numbers.random([2, 5, 3, 2, 4])
    let options = AttentionOptions(mask: .causal, window: 3)
    let results = try evaluate([x]) { inputs in
      let parts = inputs[0].unstack(2)
      let apart = parts[0].attention(keys: parts[1], values: parts[2], options)
      let packed = inputs[0].selfAttention(options)
      return [apart, packed].flatMap { [$0] + $0.sin().sum().gradients(for: inputs) }
    }
    expectClose(results[2], results[0])
    expectClose(results[3], results[1])
  }

  /// A gradient penalty differentiates attention's gradient.
  @Test func secondDerivatives() throws {
    let some = AttentionCase("") { ($0.bias, $0.keyHeads, $0.isCausal) = ([1, 4, 5, 7], 2, true) }
    try expectGradient(at: some.inputs(), directions: 1) { tensors in
      let sources = Array(tensors[..<3]) + [tensors[4]]
      return some.run(tensors).sin().sum().gradients(for: sources)
    }
  }

  @Test func mismatchedShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      let (x, y) = (Tensor.zeros([1, 2, 4, 8], .float32), Tensor.zeros([1, 2, 3, 8], .float32))
      _ = x.attention(keys: y, values: y)
    }
    await #expect(processExitsWith: .failure) {
      let x = Tensor.zeros([1, 2, 4, 8], .float32)
      _ = x.attention(
        keys: x, values: x, AttentionOptions(bias: .zeros([1, 3, 2, 2], .float32)))
    }
    await #expect(processExitsWith: .failure) { _ = AttentionOptions(window: 0) }
  }
}
