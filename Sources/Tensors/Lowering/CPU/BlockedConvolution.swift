extension ConvolutionKernelGradient {
  /// The samples per block, few enough to fit into the processor's cache.
  private static let block = 8

  /// The sum over blocks of convolutions with samples and channels swapped: each channel of the
  /// input becomes a sample, and the cotangent becomes the kernel.
  func blocked(_ operands: [Tensor]) -> [Tensor]? {
    let (x, dy) = (operands[0], operands[1])
    guard window.strides.count == 2, window.groups == 1, x.shape[0] % Self.block == 0,
      x.shape[0] >= 4 * Self.block, kernel[2] >= 32
    else { return nil }
    var plain = ConvolutionWindow(rank: 2)
    (plain.strides, plain.dilation) = (window.dilation, window.strides)
    for i in 0..<2 {
      let low = window.padding[i].low
      let reach =
        (kernel[i] - 1) * window.dilation[i]
        + (dy.shape[i + 1] - 1) * window.strides[i] + 1
      plain.padding[i] = .init(low, reach - x.shape[i + 1] - low)
    }
    let blocks = [x, dy].map { tensor in
      let sizes = tensor.shape.sizes
      return tensor.reshape(
        Shape([sizes[0] / Self.block, Self.block] + sizes.dropFirst()))
    }
    let sum = scan([Tensor.zeros(kernel, x.dtype)], blocks) { state, block in
      let image = block[0].transpose([3, 1, 2, 0])
      let change = image.croppedConvolution(block[1].transpose([1, 2, 0, 3]), plain)
      return ([state[0] + change.transpose([1, 2, 0, 3])], [])
    }.carry[0]
    return [sum]
  }
}
