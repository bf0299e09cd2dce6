import Layers
import Tensors
import TestSupport
import Testing

@Suite struct ConvolutionTests {
  struct Case: Sendable {
    var kernel: [Int]
    var size: [Int]
    var strides: [Int]?
    var padding: [ConvolutionWindow.Range]?
    var dilation: [Int]?
    var groups = 1
  }

  static let cases: [Case] = [
    Case(kernel: [3], size: [6]),
    Case(kernel: [4], size: [9], strides: [2], padding: [.causal(4)], groups: 2),
    Case(kernel: [3, 1], size: [5, 4], padding: [1, 0]),
    Case(kernel: [3, 3], size: [7, 6], strides: [2, 1], padding: [.init(0, 1), 1], groups: 2),
    Case(kernel: [3, 3, 3], size: [4, 3, 5], padding: [.causal(3), 1, 1]),
    Case(kernel: [3, 1, 1], size: [5, 2, 3], strides: [2, 1, 1]),
    Case(
      kernel: [2, 3, 2], size: [5, 4, 5], padding: [.causal(2, dilation: 2), 1, 0],
      dilation: [2, 1, 2], groups: 2),
  ]

  private static func layer(_ scope: Scope, _ some: Case) -> Convolution {
    Convolution(
      scope, 4, 6, kernel: some.kernel, strides: some.strides, padding: some.padding,
      dilation: some.dilation, groups: some.groups)
  }

  /// Kernels are stored as PyTorch stores them: out, in / groups, then the spatial axes.
  @Test(arguments: cases.indices) func againstLoops(_ number: Int) throws {
    let some = Self.cases[number]
    let rank = some.kernel.count
    let declared = Scope.declare { Self.layer($0, some) }
    #expect(declared.names == ["weight", "bias"])
    #expect(declared["weight"]!.shape == Shape([6, 4 / some.groups] + some.kernel))
    let inputs: [Numbers] = [
      .random([2] + some.size + [4]), .random(declared["weight"]!.shape.sizes, seed: 2),
      .random([6], seed: 3),
    ]
    let run = { (tensors: [Tensor]) -> [Tensor] in
      let scope = Scope(Named(zip(["weight", "bias"], tensors.dropFirst())))
      return [Self.layer(scope, some)(tensors[0])]
    }
    let result = try evaluate(inputs, run)[0]
    let (strides, dilation) = (
      some.strides ?? some.kernel.map { _ in 1 }, some.dilation ?? some.kernel.map { _ in 1 }
    )
    let padding = some.padding ?? some.kernel.map { _ in 0 }
    let spatial = (0..<rank).map { i in
      let reach = (some.kernel[i] - 1) * dilation[i] + 1
      return (some.size[i] + padding[i].low + padding[i].high - reach) / strides[i] + 1
    }
    let channels = 4 / some.groups
    let expected = Numbers([2] + spatial + [6]) { place in
      let out = place[rank + 1]
      let group = out / (6 / some.groups)
      return Numbers.places([channels] + some.kernel).reduce(inputs[2][out]) { sum, tap in
        let at: [Int] = (0..<rank).map { i in
          place[i + 1] * strides[i] + tap[i + 1] * dilation[i] - padding[i].low
        }
        let source: [Int] = [place[0]] + at + [group * channels + tap[0]]
        return sum + inputs[0][source] * inputs[1][[out] + tap]
      }
    }
    expectClose(result, expected, relative: 1e-12, absolute: 1e-12)
    try expectGradient(at: inputs, directions: 1) { run($0) }
  }

  /// No frame sees a later one, and there are as many.
  @Test func causalInTime() throws {
    let x = Numbers.random([1, 4, 2, 2, 3])
    let weight = Numbers.random([2, 3, 3, 3, 3], seed: 2)
    let result = try evaluate([x, weight]) { inputs in
      let layer = Convolution(
        Scope(Named([("weight", inputs[1])])), 3, 2, kernel: [3, 3, 3],
        padding: [.causal(3), 1, 1], bias: false)
      let y = layer(inputs[0])
      return [y] + y.slice(1, 0..<2).squared().sum().gradients(for: [inputs[0]])
    }
    #expect(result[0].shape == [1, 4, 2, 2, 2])
    let frame = 2 * 2 * 3
    #expect(result[1].values[(2 * frame)...].allSatisfy { $0 == 0 })
    #expect(result[1].values[..<(2 * frame)].allSatisfy { $0 != 0 })
  }

  @Test func mismatchedShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Scope.declare { Convolution($0, 4, 6, kernel: [3, 3], strides: [1]) }
    }
    await #expect(processExitsWith: .failure) {
      _ = Scope.declare { Convolution($0, 4, 6, kernel: [3], groups: 3) }
    }
  }
}
