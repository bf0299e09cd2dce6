extension ConvolutionKernelGradient {
  /// How many samples the blocks have that fit into a processor's cache.
  private static let block = 8

  /// Block by block a convolution in which samples and channels change places: its image has a sample
  /// for each channel of the input, and its kernel is the cotangent.
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
    let sum = scan([Tensor.zeros(kernel, x.dtype)], blocks) { state, parts in
      let image = parts[0].transpose([3, 1, 2, 0])
      let product = image.croppedConvolution(parts[1].transpose([1, 2, 0, 3]), plain)
      return ([state[0] + product.transpose([1, 2, 0, 3])], [])
    }.carry[0]
    return [sum]
  }
}
