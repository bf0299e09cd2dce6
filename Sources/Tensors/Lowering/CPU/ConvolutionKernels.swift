extension CPULowering {
  func convolved(_ convolution: Convolution, _ operands: [Tensor]) -> [Tensor]? {
    let (x, kernel) = (operands[0], operands[1])
    let type = convolution.results(operands.map(\.type))[0]
    if isThin(convolution.window, kernel.shape) { return [convolution.thin(x, kernel)] }
    // With groups or dilation the kernel parallelizes over samples only; XLA also within a sample.
    let multiplications = type.shape.count * kernel.shape.count / kernel.shape[-1]
    let isDirect = convolution.window.groups == 1 && convolution.window.dilation.last == 1
    if !isDirect, type.shape[0] < 8, multiplications > 1 << 26 { return nil }
    return call(.convolution, convolution.window, operands, type)
  }

  func inputGradient(_ gradient: ConvolutionInputGradient, _ operands: [Tensor]) -> [Tensor]? {
    let type = TensorType(gradient.input, operands[0].dtype)
    // With few channels it is itself a thin convolution of the cotangent.
    if !isThin(gradient.window, operands[1].shape, transposed: true),
      let called = call(.convolutionInputGradient, gradient.window, operands, type)
    {
      return called
    }
    return gradient.polyphase(operands)
  }

  func kernelGradient(_ gradient: ConvolutionKernelGradient, _ operands: [Tensor]) -> [Tensor]? {
    let type = TensorType(gradient.kernel, operands[0].dtype)
    if isThin(gradient.window, gradient.kernel),
      let thin = gradient.thin(operands[0], operands[1])
    {
      return [thin]
    }
    return call(.convolutionKernelGradient, gradient.window, operands, type)
      ?? gradient.blocked(operands)
  }

  private func isThin(
    _ window: ConvolutionWindow, _ kernel: Shape, transposed: Bool = false
  ) -> Bool {
    has(.matmul) && window.isThin(kernel, transposed: transposed)
  }

  /// The results of a kernel, or nil where it does not support the operands.
  private func call(
    _ kernel: Kernel, _ window: ConvolutionWindow, _ operands: [Tensor], _ type: TensorType
  ) -> [Tensor]? {
    guard has(kernel), type.dtype == .float32, (1...3).contains(window.strides.count),
      window.padding.allSatisfy({ $0.low >= 0 && $0.high >= 0 })
    else { return nil }
    let values: [String: KernelCall.Attribute] = [
      "strides": .numbers(window.strides), "dilation": .numbers(window.dilation),
      "groups": .numbers([window.groups]), "low": .numbers(window.padding.map(\.low)),
      "high": .numbers(window.padding.map(\.high)),
    ]
    return KernelCall.results(of: kernel, values, operands, types: [type])
  }
}
