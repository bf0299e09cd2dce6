import Tensors

extension OperationCase {
  static let convolutions =
    forward.flatMap { name, input, kernel, window in
      types(name, input, kernel) { $0[0].convolution($0[1], window) }
    }
    + transposed.flatMap { name, input, kernel, window, extra in
      types(name, input, kernel) {
        $0[0].transposedConvolution($0[1], window, outputPadding: extra)
      }
    }

  /// The case in f32 and in bf16.
  private static func types(
    _ name: String, _ input: Shape, _ kernel: Shape,
    _ body: @escaping @Sendable ([Tensor]) -> Tensor
  ) -> [OperationCase] {
    [.float32, .bfloat16].map { dtype in
      OperationCase(
        name, [input, kernel], in: dtype, tolerance: dtype == .float32 ? 5e-5 : nil, body)
    }
  }

  private static let forward: [(String, Shape, Shape, ConvolutionWindow)] = [
    ("convolution 1-D", [2, 40, 16], [3, 16, 24], ConvolutionWindow(rank: 1, padding: 1)),
    (
      "convolution 1-D, stride 2", [2, 41, 16], [4, 16, 24], ConvolutionWindow(rank: 1, stride: 2)
    ),
    (
      "convolution 1-D, causal, dilated", [2, 40, 16], [3, 16, 16],
      ConvolutionWindow(strides: [1], padding: [.causal(3, dilation: 2)], dilation: [2])
    ),
    ("convolution", [2, 13, 11, 16], [3, 3, 16, 24], ConvolutionWindow(padding: 1)),
    ("convolution, one channel", [2, 28, 28, 1], [3, 3, 1, 16], ConvolutionWindow(padding: 1)),
    ("convolution, 1 × 1", [2, 9, 9, 16], [1, 1, 16, 32], ConvolutionWindow()),
    (
      "convolution, stride 2", [2, 12, 12, 8], [4, 4, 8, 8],
      ConvolutionWindow(stride: 2, padding: 1)
    ),
    ("convolution, stride 2 of 3", [2, 12, 11, 8], [3, 3, 8, 8], ConvolutionWindow(stride: 2)),
    ("convolution, patches", [2, 12, 12, 8], [4, 4, 8, 32], ConvolutionWindow(stride: 4)),
    (
      "convolution, dilated", [2, 14, 14, 8], [3, 3, 8, 8],
      ConvolutionWindow(padding: 2, dilation: 2)
    ),
    (
      "convolution, groups", [2, 10, 10, 32], [3, 3, 8, 32],
      ConvolutionWindow(padding: 1, groups: 4)
    ),
    (
      "convolution, depthwise", [2, 10, 10, 16], [3, 3, 1, 16],
      ConvolutionWindow(padding: 1, groups: 16)
    ),
    (
      "convolution, uneven padding", [2, 10, 9, 8], [2, 3, 8, 8],
      ConvolutionWindow(strides: [2, 1], padding: [.init(0, 1), .init(2, 0)])
    ),
    (
      "convolution 3-D", [1, 6, 7, 8, 8], [3, 3, 3, 8, 16], ConvolutionWindow(rank: 3, padding: 1)
    ),
    (
      "convolution 3-D, causal in time", [1, 6, 8, 8, 8], [3, 3, 3, 8, 8],
      ConvolutionWindow(strides: [1, 2, 2], padding: [.causal(3), 1, 1])
    ),
  ]

  private static let transposed: [(String, Shape, Shape, ConvolutionWindow, Int)] = [
    (
      "transposed 1-D", [2, 20, 16], [4, 8, 16], ConvolutionWindow(rank: 1, stride: 2, padding: 1),
      0
    ),
    ("transposed", [2, 6, 6, 8], [4, 4, 8, 8], ConvolutionWindow(stride: 2, padding: 1), 0),
    (
      "transposed, output padding", [2, 6, 6, 8], [3, 3, 8, 8],
      ConvolutionWindow(stride: 2, padding: 1), 1
    ),
    (
      "transposed, groups", [2, 6, 6, 16], [2, 2, 8, 16], ConvolutionWindow(stride: 2, groups: 2), 0
    ),
    (
      "transposed 3-D", [1, 4, 5, 5, 8], [2, 2, 2, 8, 8], ConvolutionWindow(rank: 3, stride: 2), 0
    ),
  ]
}
