import TestSupport
import Testing

@testable import Tensors

/// A random composition of smooth operations, picked by a seed.
struct RandomGraph: Sendable {
  let seed: UInt64

  static let inputs = [
    Numbers.random([2, 3], seed: 100), .random([3, 2], seed: 101), .random([2, 3], seed: 102),
  ]

  /// Five to fifteen operations, each on values made before, and the last three values.
  func callAsFunction(_ inputs: [Tensor]) -> [Tensor] {
    var generator = SeededGenerator(seed)
    var values = inputs
    for _ in 0..<Int.random(in: 5...15, using: &generator) {
      let x = values.randomElement(using: &generator)!
      let y = values.randomElement(using: &generator)!
      values.append(bounded(step(x, y, &generator)))
    }
    return Array(values.suffix(3))
  }

  /// Keeps sizes and values small, so that differences stay exact.
  private func bounded(_ x: Tensor) -> Tensor {
    let small = x.shape.count > 64 ? x.slice(0, 0..<1) : x
    return small.tanh() * 1.5
  }

  private func step(_ x: Tensor, _ y: Tensor, _ generator: inout SeededGenerator) -> Tensor {
    let axis = x.rank == 0 ? 0 : Int.random(in: 0..<x.rank, using: &generator)
    switch Int.random(in: 0..<22, using: &generator) {
    case 0: return x.shape.broadcast(with: y.shape) == nil ? x - 1 : x + y
    case 1: return x.shape.broadcast(with: y.shape) == nil ? x * 2 : x * y
    case 2:
      return x.shape.broadcast(with: y.shape) == nil ? 1 / (x.squared() + 1) : x / (y.squared() + 1)
    case 3: return x.sin()
    case 4: return x.exp()
    case 5: return x.sigmoid() * x
    case 6: return (x.squared() + 0.5).log()
    case 7: return (x.squared() + 0.5).sqrt()
    case 8: return x.rank == 0 ? x : x.sum([axis])
    case 9: return x.rank == 0 ? x : x.mean([axis], keep: true)
    case 10: return x.rank < 2 ? x.reshape([-1, 1]) : x.swapAxes()
    case 11: return x.reshape([-1])
    case 12: return x.rank == 0 ? x : .concatenate([x, x.cos()], axis: axis)
    case 13: return x.rank == 0 ? x : x.slice(axis, 0..<(x.shape.sizes[axis] + 1) / 2)
    case 14: return x.rank == 0 ? x : x.softmax(axis)
    case 15: return x.rank == 0 ? x : x.normalized([axis], epsilon: 0.1)
    case 16:
      guard x.rank == 2, y.rank == 2, x.shape[1] == y.shape[0] else { return x.erf() }
      return x.matmul(y)
    case 17: return x.rank == 0 ? x : x.take(.constant([0, 0] as [Int32], shape: [2]), axis: axis)
    case 18: return checkpoint([x]) { [$0[0].sin() * x.exp()] }[0]
    case 19:
      guard x.rank > 0 else { return x }
      return scan([x.sum([0])], [x]) { ([($0[0] * $1[0]).sin()], [$0[0] + $1[0]]) }.outputs[0]
    case 20: return scan([x], length: 3) { state, _ in ([(state[0] * 1.1).sin() + x], []) }.carry[0]
    default: return barrier([x, y.exp()])[0]
    }
  }
}

@Suite struct PropertyTests {
  @Test(arguments: UInt64(1)...40) func randomGraphs(_ seed: UInt64) throws {
    let graph = RandomGraph(seed: seed)
    let types = Named(RandomGraph.inputs.enumerated().map { ("\($0)", $1.type) })
    let texts = (0..<2).map { _ in
      Program(types) {
        let sum = graph($0.values).map { $0.sum() }.reduce(.constant(0, .float64), +)
        return sum.gradients(for: $0)
      }.text
    }
    #expect(texts[0] == texts[1])
    try expectGradient(at: RandomGraph.inputs, directions: 2, tolerance: 1e-6, "seed \(seed)") {
      graph($0)
    }
  }
}
