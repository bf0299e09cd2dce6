import Layers
import Tensors
import TestSupport
import Testing

@Suite struct LinearAttentionTests {
  static let inputs: [Numbers] = [
    .random([2, 5, 3, 4], seed: 1), .random([2, 5, 3, 4], seed: 2),
    .random([2, 5, 3, 4], seed: 3),
  ]

  @Test("It is attention whose weights are products of rectified queries and keys")
  func againstWeights() throws {
    let results = try evaluate(Self.inputs) { inputs in
      let (q, k) = (inputs[0].relu(), inputs[1].relu())
      let weights = Tensor.einsum("bnhd,bmhd->bhnm", q, k)
      let shares = weights / (weights.sum([3], keep: true) + 1e-15)
      return [
        inputs[0].linearAttention(keys: inputs[1], values: inputs[2]),
        Tensor.einsum("bhnm,bmhe->bnhe", shares, inputs[2]),
      ]
    }
    expectClose(results[0], results[1], relative: 1e-5, absolute: 1e-6)
  }

  @Test("A query without positive features gets 0, and no NaN")
  func emptyQueries() throws {
    var given = Self.inputs
    given[0] = Numbers([2, 5, 3, 4]) { _ in -1 }
    let result = try evaluate(given) {
      [$0[0].linearAttention(keys: $0[1], values: $0[2])]
    }[0]
    #expect(result.values.allSatisfy { $0 == 0 })
  }

  @Test func gradients() throws {
    // Above 0 the rectifier is smooth.
    let positive = Self.inputs.prefix(2).map { given in
      Numbers(given.values.map { abs($0) + 0.1 }, given.shape)
    }
    try expectGradient(at: positive + [Self.inputs[2]]) {
      [$0[0].linearAttention(keys: $0[1], values: $0[2])]
    }
  }
}
