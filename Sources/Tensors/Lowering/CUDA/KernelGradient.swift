extension ConvolutionKernelGradient {
  /// One convolution of the input with the cotangent, in which samples and channels change roles:
  /// what XLA recognises as cuDNN's gradient by the kernel.
  func convolved(_ operands: [Tensor]) -> [Tensor] {
    var x = operands[0]
    let dy = operands[1]
    var padding = window.padding
    for i in window.strides.indices {
      let reach = (dy.shape.sizes[i + 1] - 1) * window.strides[i] + 1
      let used = reach + window.extent(i, kernel.sizes[i]) - 1
      // What the strides leave over at the end meets no tap.
      padding[i].high = used - x.shape.sizes[i + 1] - padding[i].low
      if padding[i].high < 0 {
        x = x.slice(i + 1, 0..<(x.shape.sizes[i + 1] + padding[i].high))
        padding[i].high = 0
      }
    }
    return [Tensor(KernelConvolution(window: window, padding: padding, kernel: kernel), [x, dy])]
  }
}

/// The gradient of a convolution by its kernel as a convolution over samples: the input's channels are
/// its samples, and the cotangent is its kernel.
struct KernelConvolution: Operation {
  let window: ConvolutionWindow
  let padding: [ConvolutionWindow.Range]
  let kernel: Shape

  var opcode: String { "stablehlo.convolution" }
  func results(_ operands: [TensorType]) -> [TensorType] { [TensorType(kernel, operands[0].dtype)] }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    window.kernelGradientAttributes(operands[0].dtype, padding: padding)
  }
}
