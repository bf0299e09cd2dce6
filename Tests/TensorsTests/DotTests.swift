import TestSupport
import Testing

@testable import Tensors

@Suite struct DotTests {
  /// A contraction in Einstein notation in plain Swift.
  static func einsum(_ equation: String, _ a: Numbers, _ b: Numbers) -> Numbers {
    let letters = equation.filter { $0 != "-" }
    let parts = letters.split(omittingEmptySubsequences: false) { ",>".contains($0) }.map(
      Array.init)
    var sizes: [Character: Int] = [:]
    for (letter, size) in zip(parts[0] + parts[1], a.shape + b.shape) { sizes[letter] = size }
    let summed = Set(parts[0] + parts[1]).subtracting(parts[2]).sorted()
    return Numbers(parts[2].map { sizes[$0]! }) { place in
      var at: [Character: Int] = [:]
      for (letter, index) in zip(parts[2], place) { at[letter] = index }
      return Numbers.places(summed.map { sizes[$0]! }).reduce(0) { sum, inner in
        for (letter, index) in zip(summed, inner) { at[letter] = index }
        return sum + a[parts[0].map { at[$0]! }] * b[parts[1].map { at[$0]! }]
      }
    }
  }

  static let equations: [(String, [Int], [Int])] = [
    ("ij,jk->ik", [2, 3], [3, 4]),
    ("ij,kj->ki", [2, 3], [4, 3]),
    ("i,j->ij", [2], [3]),
    ("i,i->", [4], [4]),
    ("bij,bjk->bik", [2, 3, 4], [2, 4, 2]),
    ("bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 5, 2, 4]),
    ("bhqk,bkhd->bqhd", [2, 2, 3, 5], [2, 5, 2, 4]),
    // Several contracted axes, in opposite orders.
    ("aijb,jick->abck", [2, 3, 4, 2], [4, 3, 2, 2]),
    ("iabj,xjiyb->xbay", [2, 3, 2, 4], [2, 4, 2, 3, 2]),
    ("xab,abx->xba", [2, 3, 4], [3, 4, 2]),
  ]

  @Test(arguments: equations) func einsums(_ equation: String, _ l: [Int], _ r: [Int]) throws {
    let inputs = [Numbers.random(l), .random(r, seed: 2)]
    expectClose(
      try evaluate(inputs) { [.einsum(equation, $0[0], $0[1])] }[0],
      Self.einsum(equation, inputs[0], inputs[1]), relative: 1e-12)
    try expectGradient(at: inputs) { [.einsum(equation, $0[0].sin(), $0[1].squared())] }
  }

  @Test func orderOfTheResultsAxes() throws {
    let (a, b) = (Numbers.random([2, 3, 4, 5]), Numbers.random([5, 3, 2, 6], seed: 2))
    let result = try evaluate([a, b]) {
      [$0[0].dot($0[1], contracting: ([-1, 0], [0, 2]), batch: ([1], [1]))]
    }[0]
    expectClose(result, Self.einsum("ibjk,kbil->bjl", a, b), relative: 1e-12)
  }

  @Test func matrixProducts() throws {
    let (a, b, c) = (
      Numbers.random([2, 3, 4]), Numbers.random([4, 5], seed: 2),
      Numbers.random([2, 4, 5], seed: 3)
    )
    let results = try evaluate([a, b, c]) {
      [$0[0].matmul($0[1]), $0[0].matmul($0[2]), $0[0][0].matmul($0[1])]
    }
    expectClose(results[0], Self.einsum("bij,jk->bik", a, b), relative: 1e-12)
    expectClose(results[1], Self.einsum("bij,bjk->bik", a, c), relative: 1e-12)
    #expect(results[2].shape == [3, 5])
    try expectGradient(at: [a, b, c]) { [$0[0].matmul($0[1]), $0[0].matmul($0[2])] }
  }

  @Test func halfPrecisionMayAccumulateInSinglePrecision() throws {
    // 1 + 2⁻⁹ has no place in bfloat16 and has one in f32.
    let a = Numbers([1, 0x1p-9], [1, 2], .bfloat16)
    let results = try evaluate([a, Numbers([1, 1], [2, 1], .bfloat16)]) {
      let wide = $0[0].dot($0[1], contracting: ([1], [0]), result: .float32)
      return [wide, $0[0].dot($0[1], contracting: ([1], [0]))] + wide.sum().gradients(for: $0)
    }
    #expect(results[0].values == [1 + 0x1p-9])
    #expect(results[1].values == [1])
    #expect(results.map(\.dtype) == [.float32, .bfloat16, .bfloat16, .bfloat16])
    #expect(results[3].values == a.values)
  }
}
