import TestSupport
import Testing

@testable import Tensors

@Suite struct ConvolutionTests {
  /// Values and gradients of all cases in one program, against loops.
  @Test(arguments: [Platform.cpu, .cuda]) func valuesAndGradients(_ platform: Platform) throws {
    let cases = ConvolutionCase.table
    let inputs = cases.map { [$0.x, $0.weights, Numbers.random($0.output, seed: 3)] }
    let results = try evaluate(inputs.flatMap { $0 }, target: Target(platform: platform)) {
      tensors in
      cases.indices.flatMap { row -> [Tensor] in
        let (x, w, dy) = (tensors[3 * row], tensors[3 * row + 1], tensors[3 * row + 2])
        let y = x.convolution(w, cases[row].window)
        return [y] + (y * dy).sum().gradients(for: [x, w])
      }
    }
    for (row, some) in cases.enumerated() {
      var y = Numbers(some.output) { _ in 0 }
      var dx = Numbers(some.x.shape) { _ in 0 }
      var dw = Numbers(some.weights.shape) { _ in 0 }
      let (x, w, dy) = (inputs[row][0].values, inputs[row][1].values, inputs[row][2].values)
      some.forEachProduct(input: dx.shape, kernel: dw.shape, output: y.shape) { i, k, o in
        y.values[o] += x[i] * w[k]
        dx.values[i] += dy[o] * w[k]
        dw.values[k] += dy[o] * x[i]
      }
      for (i, (expected, name)) in [(y, "value"), (dx, "by input"), (dw, "by kernel")].enumerated()
      {
        expectClose(
          results[3 * row + i], expected, relative: 1e-10, absolute: 1e-12,
          "\(name) of \(some.testDescription)")
      }
    }
  }

  @Test(arguments: [0, 9, 18, 20, 28, 29, 30]) func finiteDifferences(_ row: Int) throws {
    let some = ConvolutionCase.table[row]
    try expectGradient(at: [some.x, some.weights], directions: 1) {
      [$0[0].convolution($0[1], some.window)]
    }
  }

  @Test func noDilatedInputsAreEmittedForTheCPU() {
    for some in ConvolutionCase.table where some.window.dilation.allSatisfy({ $0 == 1 }) {
      let text = Program(Named([("x", some.x.type), ("w", some.weights.type)])) {
        let y = $0["x"]!.convolution($0["w"]!, some.window).squared().sum()
        return y.gradients(for: $0)
      }.text
      for line in text.split(separator: "\n") where line.contains("lhs_dilation") {
        #expect(
          line.contains("lhs_dilation = array<i64: 1")
            && !line.contains("lhs_dilation = array<i64: 2"))
      }
    }
  }

  /// cuDNN computes the kernel's gradient; elsewhere it is a matmul for each tap.
  @Test(arguments: [1, 4]) func theKernelsGradientIsOneConvolutionOnAGPU(groups: Int) {
    let types = Named([
      ("x", TensorType([2, 9, 9, 8], .bfloat16)),
      ("w", TensorType([3, 3, 8 / groups, 16], .bfloat16)),
    ])
    let window = ConvolutionWindow(stride: 2, padding: 1, groups: groups)
    let text = Program(types, target: Target(platform: .cuda)) {
      let y = $0["x"]!.convolution($0["w"]!, window)
      return y.cast(to: .float32).squared().sum().gradients(for: $0.filter { $0 == "w" })
    }.text
    #expect(!text.contains("stablehlo.dot_general"))
    #expect(text.contains("#stablehlo.conv<[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]>"))
    #expect(text.contains("batch_group_count = \(groups) : i64"))
    #expect(text.contains("rhs_dilation = array<i64: 2, 2>"))
  }

  static let transposed: [(ConvolutionCase, Int)] = [
    (ConvolutionCase([3, 4], [2, 2], strides: [2, 2]), 0),
    (ConvolutionCase([3, 4], [3, 3], strides: [2, 2], padding: [(1, 1), (1, 1)]), 1),
    (ConvolutionCase([3, 4], [4, 4], strides: [2, 2], padding: [(1, 1), (1, 1)]), 0),
    (ConvolutionCase([3, 4], [3, 2], strides: [1, 3], padding: [(0, 1), (1, 0)]), 0),
    (ConvolutionCase([3, 4], [3, 3], padding: [(1, 1), (1, 1)]), 0),
    (ConvolutionCase([3, 4], [2, 2], strides: [2, 2], groups: 2, channels: (4, 6)), 0),
    (ConvolutionCase([4, 4], dilation: [2, 2]), 0),
    (ConvolutionCase([4, 3], [3, 3], strides: [2, 2], dilation: [2, 1]), 1),
  ]

  @Test(arguments: transposed) func transposes(_ some: ConvolutionCase, _ extra: Int) throws {
    let (w, window) = (some.weights, some.window)
    let x = Numbers.random([2] + some.input + [some.channels.output], seed: 4)
    let sizes = some.input.indices.map { axis -> Int in
      let reach = (some.input[axis] - 1) * window.strides[axis] + some.extent(axis)
      return reach - window.padding[axis].low - window.padding[axis].high + extra
    }
    var expected = Numbers([2] + sizes + [some.channels.input]) { _ in 0 }
    some.forEachProduct(input: expected.shape, kernel: w.shape, output: x.shape) { i, k, o in
      expected.values[i] += x.values[o] * w.values[k]
    }
    for platform in [Platform.cpu, .cuda] {
      let result = try evaluate([x, w], target: Target(platform: platform)) {
        [$0[0].transposedConvolution($0[1], window, outputPadding: extra)]
      }
      expectClose(result[0], expected, relative: 1e-10, absolute: 1e-12)
    }
    try expectGradient(at: [x, w], directions: 1) {
      [$0[0].transposedConvolution($0[1], window, outputPadding: extra)]
    }
  }

  @Test func mismatchedShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([1, 4, 4, 3], .float32)
        .convolution(.zeros([3, 3, 2, 4], .float32), ConvolutionWindow())
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([1, 2, 2, 2], .float32)
        .convolution(.zeros([3, 3, 2, 4], .float32), ConvolutionWindow())
    }
  }
}
