import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct GradientTests {
  /// A function whose own gradients are differentiated again.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let inputs: [Numbers]
    let function: @Sendable ([Tensor]) -> Tensor

    init(
      _ name: String, _ shapes: [[Int]], in range: ClosedRange<Double> = -1...1,
      _ function: @escaping @Sendable ([Tensor]) -> Tensor
    ) {
      testDescription = name
      inputs = shapes.enumerated().map { .random($1, seed: UInt64(7 * $0 + 3), in: range) }
      self.function = function
    }
  }

  static let second: [Case] = [
    Case("elements", [[2, 3]]) { ($0[0].tanh() * $0[0].exp() + $0[0].sigmoid()).sum() },
    Case("divide, power", [[3], [3]], in: 0.5...2) { ($0[0].power($0[1]) / $0[1]).sum() },
    Case("products", [[2, 3], [3, 4]]) { $0[0].matmul($0[1]).sin().sum() },
    Case("softmax", [[2, 4]]) { ($0[0].softmax() * $0[0]).sum() },
    Case("norm", [[2, 4]]) { $0[0].normalized().sin().sum() },
    Case("gather", [[4, 2]]) {
      $0[0].squared().take(.constant([1, 1, 3] as [Int32], shape: [3])).sin().sum()
    },
    Case("slices", [[5, 3]]) { ($0[0][1..<3] * $0[0].slice(0, 0..<4, stride: 2)).exp().sum() },
    Case("attention", [[1, 3, 2, 2], [1, 3, 2, 2], [1, 3, 2, 2]]) {
      $0[0].attention(keys: $0[1], values: $0[2]).sin().sum()
    },
    Case("convolution", [[1, 5, 5, 2], [3, 3, 2, 2]]) {
      $0[0].convolution($0[1], ConvolutionWindow(stride: 2, padding: 1)).sin().sum()
    },
    Case("transposed convolution", [[1, 3, 3, 2], [2, 2, 2, 2]]) {
      $0[0].transposedConvolution($0[1], ConvolutionWindow(stride: 2)).sin().sum()
    },
    Case("attention to itself", [[1, 3, 2, 2]]) {
      $0[0].attention(keys: $0[0].sin(), values: $0[0].exp()).sin().sum()
    },
    Case("checkpoint", [[2, 3], [3, 3]]) {
      checkpoint($0) { [$0[0].matmul($0[1]).tanh()] }[0].squared().sum()
    },
    Case("scan", [[2], [3, 2]]) {
      scan([$0[0]], [$0[1]]) { ([($0[0] * $1[0]).sin()], [$0[0].exp()]) }.outputs[0].squared().sum()
    },
    Case("recomputed scan", [[2], [3, 2]]) {
      scan([$0[0]], [$0[1]], recomputed: true) { ([($0[0] * $1[0]).sin()], [$0[0].exp()]) }
        .outputs[0].squared().sum()
    },
  ]

  @Test(arguments: second) func gradientsOfGradients(_ some: Case) throws {
    try expectGradient(at: some.inputs, tolerance: 1e-6, some.testDescription) {
      some.function($0).gradients(for: $0)
    }
  }

  @Test func thirdOrder() throws {
    let result = try evaluate([Numbers([0.5], [])]) { x in
      (0..<3).reduce(x[0].sin()) { y, _ in y.gradients(for: x)[0] }.reshape([1]).unstack()
    }
    expectClose(result[0].values, [-0.8775825618903728], relative: 1e-12)
  }

  @Test func unrelatedTensorsHaveNoGradient() throws {
    let results = try evaluate([.random([2]), .random([3], seed: 2)]) {
      $0[0].sum().gradients(for: [$0[1], $0[0]])
    }
    #expect(results.map(\.values) == [[0, 0, 0], [1, 1]])
  }

  /// Sources may be in the middle of the graph, and one may lie on another's way.
  @Test func intermediateSources() throws {
    let results = try evaluate([Numbers([2, 3])]) {
      let y = $0[0] * 3
      let z = y.squared().sum()
      return z.gradients(for: [y, $0[0], z])
    }
    #expect(results.map(\.values) == [[12, 18], [36, 54], [1]])
  }

  @Test func namedGradientsKeepTheirNames() {
    let x = Tensor.placeholder(TensorType([2], .float32))
    let named = Named([("b", x), ("a", x * 2)])
    #expect((named["a"]! + x).sum().gradients(for: named).names == ["b", "a"])
  }

  @Test func onlyScalarsHaveGradients() async {
    await #expect(processExitsWith: .failure) {
      let x = Tensor.placeholder(TensorType([2], .float32))
      _ = x.gradients(for: [x])
    }
    await #expect(processExitsWith: .failure) {
      let x = Tensor.placeholder(TensorType([], .int32))
      _ = x.gradients(for: [x])
    }
  }

  /// Two traces of the same multiplication are merged in the gradient too, which is that of their
  /// sum.
  @Test func equalValuesAreDifferentiatedOnce() throws {
    func loss(_ x: Tensor, _ w: Tensor) -> Tensor {
      x.matmul(w).tanh().sum() + x.matmul(w).tanh().squared().sum()
    }
    let inputs = [Numbers.random([4, 3]), Numbers.random([3, 2], seed: 2)]
    let function = try HostFunction(inputs.map(\.type)) { given in
      loss(given[0], given[1]).gradients(for: [given[1]])
    }
    #expect(function.text.components(separatedBy: "stablehlo.dot_general").count == 3)
    let once = try HostFunction(inputs.map(\.type)) { given in
      let y = given[0].matmul(given[1]).tanh()
      return (y.sum() + y.squared().sum()).gradients(for: [given[1]])
    }
    expectClose(try function(inputs)[0], try once(inputs)[0])
  }

  /// A source stands for itself alone, also where another value is equal to it.
  @Test func sourcesAreNotMerged() throws {
    let gradients = try evaluate([Numbers([3, 5])]) { given in
      let (a, b) = (given[0] * 2, given[0] * 2)
      return (a.sum() + b.squared().sum()).gradients(for: [a, b])
    }
    #expect(gradients[0].values == [1, 1])
    #expect(gradients[1].values == [12, 20])
  }
}
