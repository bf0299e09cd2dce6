/// Convolutions to a few channels: one matrix multiplication of all positions with all taps, whose
/// results are shifted and added. It reads the input once; a direct convolution would leave most
/// lanes of a vector unused.
extension ConvolutionWindow {
  /// Whether a convolution with a kernel, or the transposed one, runs faster this way.
  func isThin(_ kernel: Shape, transposed: Bool = false) -> Bool {
    let (input, output) = transposed ? (kernel[-1], kernel[-2]) : (kernel[-2], kernel[-1])
    return isPlain && groups == 1 && input >= 16
      && kernel.sizes.dropLast(2).reduce(1, *) * output <= 64
  }
}

extension Convolution {
  /// The convolution of `[batch, spatial…, channels]` with `[spatial…, channels, out]`.
  func thin(_ x: Tensor, _ kernel: Tensor) -> Tensor {
    let rank = window.strides.count
    let (channels, out) = (kernel.shape[-2], kernel.shape[-1])
    let taps = window.taps(kernel.shape)
    let columns = kernel.reshape([taps.count, channels, out]).swapAxes(0, 1)
    let product = x.reshape([-1, channels]).matmul(columns.reshape([channels, taps.count * out]))
    let border = window.padding.map { Pad.Amount(low: $0.low, high: $0.high) }
    let padded = product.reshape(Shape(x.shape.sizes.dropLast() + [taps.count, out]))
      .pad([Pad.Amount()] + border + [Pad.Amount(), Pad.Amount()])
    let spatial = window.output(
      Array(x.shape.sizes[1...rank]), kernel: Array(kernel.shape.sizes[..<rank]))
    let shifted = taps.enumerated().map { number, tap in
      var part = padded.slice(rank + 1, number..<number + 1)
      for axis in 0..<rank {
        let start = tap[axis] * window.dilation[axis]
        part = part.slice(axis + 1, start..<start + spatial[axis])
      }
      return part.reshape(Shape([x.shape[0]] + spatial + [out]))
    }
    return shifted.dropFirst().reduce(shifted[0], +)
  }
}

extension ConvolutionKernelGradient {
  /// The kernel's gradient from one matrix multiplication of the input with all shifts of the
  /// cotangent; nil where the padding is wider than the kernel.
  func thin(_ x: Tensor, _ dy: Tensor) -> Tensor? {
    let rank = window.strides.count
    let (channels, out) = (kernel[-2], kernel[-1])
    let reach = (0..<rank).map { window.extent($0, kernel[$0]) - 1 }
    let border = (0..<rank).map { axis in
      let low = reach[axis] - window.padding[axis].low
      return Pad.Amount(
        low: low, high: x.shape[axis + 1] + reach[axis] - dy.shape[axis + 1] - low)
    }
    guard border.allSatisfy({ $0.low >= 0 && $0.high >= 0 }) else { return nil }
    let padded = dy.pad([Pad.Amount()] + border + [Pad.Amount()])
    let taps = window.taps(kernel)
    let shifts = taps.map { tap in
      var part = padded
      for axis in 0..<rank {
        let start = reach[axis] - tap[axis] * window.dilation[axis]
        part = part.slice(axis + 1, start..<start + x.shape[axis + 1])
      }
      return part.reshape([-1, out])
    }
    let product = x.reshape([-1, channels])
      .dot(.concatenate(shifts, axis: 1), contracting: ([0], [0]))
    return product.reshape([channels, taps.count, out]).swapAxes(0, 1).reshape(kernel)
  }
}
