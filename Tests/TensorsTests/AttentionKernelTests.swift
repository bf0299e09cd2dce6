import TestSupport
import Testing

@testable import Tensors

/// Attention in the CPU's kernels, compared with the plain form.
@Suite struct AttentionKernelTests {
  /// The operations that kernels compute, and those that they leave to other operations.
  @Test(arguments: AttentionCase.table + AttentionCase.large)
  func equalsThePlainForm(_ some: AttentionCase) throws {
    let inputs = some.inputs(.float32)
    let body = { (t: [Tensor]) -> [Tensor] in
      let out = some.run(t)
      let sources = Array(t[..<3]) + (some.bias == nil ? [] : [t.last!])
      return [out] + (out * t[3]).sum().gradients(for: sources)
    }
    let function = try HostFunction(
      inputs.map(\.type), target: Target(try SharedClient.get()), body)
    #expect(function.text.contains("\"twinflow_attention\""))
    let isFused = some.softCap == nil || some.bias == nil
    #expect(function.text.contains("\"twinflow_attention_gradient\"") == isFused)
    let plain = try evaluate(inputs, body)
    for (i, (a, b)) in zip(try function(inputs), plain).enumerated() {
      let size = b.values.map { abs($0) }.max() ?? 0
      expectClose(a, b, relative: 2e-5, absolute: 2e-5 * size, "result \(i)")
    }
  }

  /// The output of a query that sees no key is 0, and so are its gradients.
  @Test func queriesWithoutKeysGiveZero() throws {
    let some = AttentionCase("") { $0.lengths = [0, 7] }
    let inputs = some.inputs(.float32)
    for target in [Target(), Target(try SharedClient.get())] {
      let results = try evaluate(inputs, target: target) {
        let out = some.run($0)
        return [out] + out.sum().gradients(for: Array($0[..<3]))
      }
      for result in results {
        let half = result.count / 2
        #expect(result.values[..<half].allSatisfy { abs($0) < 1e-30 })
        #expect(result.values[half...].contains { $0 != 0 })
      }
    }
  }
}
