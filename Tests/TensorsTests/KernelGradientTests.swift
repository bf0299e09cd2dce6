import TestSupport
import Testing

@testable import Tensors

/// On the CPU the gradients of kernels of larger batches are computed block by block.
@Suite struct KernelGradientTests {
  /// Input sizes, kernel sizes, window.
  static let cases: [([Int], [Int], ConvolutionWindow)] = [
    ([32, 6, 5, 32], [3, 3, 32, 4], ConvolutionWindow(padding: 1)),
    ([32, 8, 6, 32], [4, 4, 32, 3], ConvolutionWindow(stride: 2, padding: 1)),
    ([32, 7, 7, 33], [3, 2, 33, 2], ConvolutionWindow(stride: 2)),
    ([40, 7, 6, 32], [3, 3, 32, 2], ConvolutionWindow(padding: 2, dilation: 2)),
    ([32, 5, 5, 32], [1, 1, 32, 3], ConvolutionWindow(stride: 3)),
  ]

  @Test(arguments: cases.indices) func equalsThePlainForm(_ place: Int) throws {
    let (input, kernel, window) = Self.cases[place]
    let given = [Numbers.random(input, seed: 1), Numbers.random(kernel, seed: 2)]
    func gradient(_ inputs: [Numbers]) throws -> Numbers {
      try evaluate(inputs) { tensors in
        tensors[0].convolution(tensors[1], window).sin().sum().gradients(for: [tensors[1]])
      }[0]
    }
    let whole = try gradient(given)
    // A gradient is the sum of those of the samples, which alone are no larger batch.
    let parts = try (0..<input[0] / 4).map { part in
      let count = given[0].count / input[0] * 4
      let rows = Numbers(
        Array(given[0].values[part * count..<(part + 1) * count]), [4] + input.dropFirst())
      return try gradient([rows, given[1]])
    }
    let sum = parts.dropFirst().reduce(parts[0].values) { zip($0, $1.values).map { $0 + $1 } }
    expectClose(whole, Numbers(sum, kernel), relative: 1e-10, absolute: 1e-10)
  }

  /// The blocked form is used: its text has a loop.
  @Test func isUsedForLargerBatches() throws {
    for (batch, isBlocked) in [(32, true), (8, false)] {
      let types = [
        TensorType([batch, 6, 6, 32], .float32), TensorType([3, 3, 32, 4], .float32),
      ]
      let function = try HostFunction(types) { tensors in
        tensors[0].convolution(tensors[1], ConvolutionWindow(padding: 1)).sin().sum()
          .gradients(for: [tensors[1]])
      }
      #expect(function.text.contains("stablehlo.while") == isBlocked)
    }
  }
}
