/// Gradients of strided convolutions without a dilated input, which XLA computes slowly on the CPU.
extension ConvolutionInputGradient {
  /// One unstrided convolution for each phase of the output within the stride, interleaved; nil for
  /// dilated kernels, which are not supported.
  ///
  /// Along an axis with stride s, kernel taps k and padding p, output element s·n + φ takes the
  /// taps r, r + s, r + 2s … with r = (φ + p) mod s, from the elements n + ⌊(φ + p)/s⌋ downwards.
  func polyphase(_ operands: [Tensor]) -> [Tensor]? {
    guard window.dilation.allSatisfy({ $0 == 1 }), !window.isPlain else { return nil }
    return [interleave(operands[0], transposed(operands[1]), axis: 0, phases: [])]
  }

  private func interleave(
    _ dy: Tensor, _ flipped: Tensor, axis: Int, phases: [Int]
  ) -> Tensor {
    let rank = window.strides.count
    guard axis < rank else { return phase(dy, flipped, phases) }
    let s = window.strides[axis]
    let phaseResults = (0..<s).map {
      interleave(dy, flipped, axis: axis + 1, phases: phases + [$0])
    }
    guard s > 1 else { return phaseResults[0] }
    var sizes = phaseResults[0].shape.sizes
    sizes[axis + 1] *= s
    return Tensor.stack(phaseResults, axis: axis + 2).reshape(sizes)
      .slice(axis + 1, 0..<input.sizes[axis + 1])
  }

  private func phase(_ dy: Tensor, _ flipped: Tensor, _ phases: [Int]) -> Tensor {
    let rank = window.strides.count
    var kernel = flipped
    var plain = ConvolutionWindow(rank: rank, groups: window.groups)
    for i in 0..<rank {
      let (s, p) = (window.strides[i], window.padding[i].low)
      let (taps, size) = (flipped.shape.sizes[i], dy.shape.sizes[i + 1])
      let (r, shift) = ((phases[i] + p) % s, (phases[i] + p) / s)
      let count = (input.sizes[i + 1] + s - 1) / s
      let used = taps > r ? (taps - r + s - 1) / s : 0
      if used == 0 {
        var sizes = [input.sizes[0]]
        for j in 0..<rank {
          sizes.append((input.sizes[j + 1] + window.strides[j] - 1) / window.strides[j])
        }
        return .zeros(Shape(sizes + [input.sizes.last!]), dy.dtype)
      }
      // In the flipped kernel tap r + s·j is at index taps − 1 − r − s·j.
      let last = taps - 1 - r
      kernel = kernel.slice(i, (last - s * (used - 1))..<(last + 1), stride: s)
      let low = used - 1 - shift
      plain.padding[i] = .init(low, count - size - low + used - 1)
    }
    return dy.croppedConvolution(kernel, plain)
  }
}
