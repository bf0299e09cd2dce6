import TestSupport
import Testing

@testable import Tensors

/// Operations in this project's kernels, compared with the plain form.
@Suite struct KernelTests {
  private static func compare(
    _ inputs: [Numbers], kernel: String, tolerance: Double = 2e-5,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: ([Tensor]) -> [Tensor]
  ) throws {
    let target = Target(try SharedClient.get())
    let function = try HostFunction(inputs.map(\.type), target: target, body)
    // A comparison of the plain way with itself would prove nothing.
    #expect(function.text.contains("\"\(kernel)\""), sourceLocation: sourceLocation)
    let plain = try evaluate(inputs, body)
    for (i, (a, b)) in zip(try function(inputs), plain).enumerated() {
      let size = b.values.map { Swift.abs($0) }.max() ?? 0
      expectClose(
        a, b, relative: tolerance, absolute: tolerance * size, "result \(i)",
        sourceLocation: sourceLocation)
    }
  }

  /// Whether oneDNN is available.
  static var hasMatmul: Bool {
    (try? SharedClient.get())?.kernels.contains("twinflow_matmul") ?? false
  }

  static let products: [(Int, Int, Int)] = [
    (128, 128, 128), (1000, 33, 65), (7, 511, 401), (2049, 40, 17), (65, 4097, 9), (1, 1024, 1030),
  ]

  @Test(.enabled(if: Self.hasMatmul), arguments: products)
  func product(_ size: (rows: Int, inner: Int, columns: Int)) throws {
    for axes in [(1, 0), (1, 1), (0, 0), (0, 1)] {
      let left = axes.0 == 1 ? [size.rows, size.inner] : [size.inner, size.rows]
      let right = axes.1 == 0 ? [size.inner, size.columns] : [size.columns, size.inner]
      try Self.compare(
        [.random(left, seed: 1, .float32), .random(right, seed: 2, .float32)],
        kernel: "twinflow_matmul"
      ) { [$0[0].dot($0[1], contracting: ([axes.0], [axes.1]))] }
    }
  }

  /// Batch, queries, keys, heads, width, the mask's sizes.
  static let attentions: [([Int], [Int]?)] = [
    ([1, 1, 1, 1, 4], nil), ([2, 5, 7, 3, 8], nil), ([2, 49, 49, 3, 64], nil),
    ([1, 196, 196, 2, 33], nil), ([1, 130, 1100, 1, 20], nil), ([3, 300, 17, 2, 16], nil),
    ([2, 9, 33, 2, 24], [2, 1, 1, 33]), ([2, 60, 33, 3, 24], [1, 1, 60, 33]),
    ([2, 50, 600, 2, 130], [2, 2, 50, 600]), ([2, 50, 40, 2, 12], [2, 2, 50, 1]),
  ]

  @Test(arguments: attentions) func attention(_ sizes: [Int], _ maskSizes: [Int]?) throws {
    let (batch, queries, keys, heads, width) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4])
    var inputs: [Numbers] = [
      .random([batch, queries, heads, width], seed: 1, .float32),
      .random([batch, keys, heads, width], seed: 2, .float32),
      .random([batch, keys, heads, width], seed: 3, .float32),
      .random([batch, queries, heads, width], seed: 4, .float32),
    ]
    if let maskSizes {
      let random = Numbers.random(maskSizes, seed: 5, .float32)
      inputs.append(
        Numbers(maskSizes, .bool) { place in
          let at = zip(place, maskSizes).reduce(0) { $0 * $1.1 + $1.0 }
          return random.values[at] > 0 ? 1 : 0
        })
    }
    try Self.compare(inputs, kernel: "twinflow_attention_gradient") { t in
      let out = t[0].attention(
        keys: t[1], values: t[2],
        AttentionOptions(scale: 0.7, mask: t.count > 4 ? .full(t[4]) : .none))
      return [out] + (out * t[3]).sum().gradients(for: Array(t[..<3]))
    }
  }

  @Test(arguments: [[2, 5, 3, 8], [2, 49, 3, 64], [1, 196, 2, 33]])
  func selfAttention(_ sizes: [Int]) throws {
    let packed = [sizes[0], sizes[1], 3, sizes[2], sizes[3]]
    let inputs: [Numbers] = [
      .random(packed, seed: 1, .float32), .random(sizes, seed: 2, .float32),
    ]
    try Self.compare(inputs, kernel: "twinflow_attention_gradient") { t in
      let out = t[0].selfAttention()
      return [out] + (out * t[1]).sum().gradients(for: [t[0]])
    }
  }

  /// Input sizes, kernel sizes, window.
  static let convolutions: [([Int], [Int], ConvolutionWindow)] = [
    ([1, 5, 4, 3], [3, 3, 3, 2], ConvolutionWindow(padding: 1)),
    ([9, 8, 7, 16], [3, 3, 16, 33], ConvolutionWindow(padding: 1)),
    ([5, 9, 8, 32], [4, 4, 32, 48], ConvolutionWindow(stride: 2, padding: 1)),
    ([3, 7, 7, 17], [1, 1, 17, 5], ConvolutionWindow(stride: 3)),
    ([2, 11, 9, 16], [3, 2, 16, 16], ConvolutionWindow(stride: 2, padding: 2, dilation: 2)),
    ([4, 6, 6, 12], [3, 3, 4, 9], ConvolutionWindow(padding: 1, groups: 3)),
    ([4, 6, 6, 16], [3, 3, 1, 16], ConvolutionWindow(padding: 1, groups: 16)),
    ([3, 20, 6], [5, 6, 7], ConvolutionWindow(rank: 1, stride: 2, padding: 2)),
    ([2, 5, 6, 4, 8], [3, 3, 3, 8, 16], ConvolutionWindow(rank: 3, padding: 1)),
    (
      [2, 5, 6, 4, 8], [3, 3, 3, 8, 16],
      ConvolutionWindow(strides: [2, 1, 1], padding: [.causal(3), 1, 1])
    ),
    (
      [2, 9, 8], [3, 4, 8],
      ConvolutionWindow(strides: [1], padding: [.causal(3, dilation: 2)], dilation: [2], groups: 2)
    ),
    ([128, 14, 14, 64], [3, 3, 64, 32], ConvolutionWindow(padding: 1)),
    ([1, 61, 47, 40], [3, 3, 40, 80], ConvolutionWindow(padding: 1)),
    ([1, 15, 16, 200], [4, 4, 200, 72], ConvolutionWindow(stride: 2, padding: 1)),
    ([2, 9, 8, 24], [2, 1, 24, 16], ConvolutionWindow(stride: 3, padding: 2)),
  ]

  @Test(.enabled(if: Self.hasMatmul), arguments: convolutions.indices)
  func convolution(_ place: Int) throws {
    let (input, kernel, window) = Self.convolutions[place]
    let inputs: [Numbers] = [
      .random(input, seed: 1, .float32), .random(kernel, seed: 2, .float32),
    ]
    for name in ["", "_input_gradient", "_kernel_gradient"] {
      try Self.compare(inputs, kernel: "twinflow_convolution" + name) { t in
        let out = t[0].convolution(t[1], window)
        return [out] + (out * out).sum().gradients(for: t)
      }
    }
  }

  static let thinConvolutions: [([Int], [Int], ConvolutionWindow)] = [
    ([32, 14, 13, 64], [3, 3, 64, 1], ConvolutionWindow(padding: 1)),
    ([16, 14, 15, 48], [3, 2, 48, 3], ConvolutionWindow(padding: 1, dilation: 2)),
    ([16, 28, 15, 2], [2, 3, 2, 64], ConvolutionWindow()),
    ([40, 28, 14, 17], [1, 1, 17, 5], ConvolutionWindow()),
  ]

  @Test(.enabled(if: Self.hasMatmul), arguments: thinConvolutions.indices)
  func thinConvolution(_ place: Int) throws {
    let (input, kernel, window) = Self.thinConvolutions[place]
    let inputs: [Numbers] = [
      .random(input, seed: 1, .float32), .random(kernel, seed: 2, .float32),
    ]
    try Self.compare(inputs, kernel: "twinflow_matmul") { t in
      let out = t[0].convolution(t[1], window)
      return [out] + (out * out).sum().gradients(for: t)
    }
  }

  /// NaN must not vanish in attention.
  @Test func nanIsPropagated() throws {
    var packed = Numbers.random([2, 5, 3, 1, 8], seed: 1, .float32)
    packed.values[0] = .nan
    let types = [packed.type]
    let out = try HostFunction(types, target: Target(try SharedClient.get())) {
      [$0[0].selfAttention()] + $0[0].selfAttention().sum().gradients(for: $0)
    }([packed])
    // The query of the first token is hit, and it alone.
    #expect(out[0].values.indices.filter { out[0].values[$0].isNaN } == Array(0..<8))
    #expect(out[1].values.contains { $0.isNaN })
  }

  @Test func doublePrecisionUsesThePlainForm() throws {
    let target = Target(try SharedClient.get())
    let text = try HostFunction(
      [TensorType([2, 5, 3, 2, 8], .float64), TensorType([128, 128], .float64)], target: target
    ) { t in
      [t[0].selfAttention(), t[1].matmul(t[1])]
    }.text
    #expect(!text.contains("custom_call"))
  }

  @Test func kernelsCanBeSwitchedOff() throws {
    #expect(try Client(Plugin.load(), kernels: false).kernels.isEmpty)
  }
}
