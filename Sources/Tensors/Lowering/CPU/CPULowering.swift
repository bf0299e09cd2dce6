/// Replaces operations by this project's kernels, or by forms that run faster on a CPU.
struct CPULowering: Lowering {
  /// The kernels that programs may call.
  let kernels: Set<String>
  /// Whether programs are only compiled; kernels then replace attention in every element type.
  let isPlan: Bool

  /// Whether programs may call a kernel.
  func has(_ kernel: Kernel) -> Bool { kernels.contains(kernel.rawValue) }

  func replacement(for operation: any Operation, _ operands: [Tensor]) -> [Tensor]? {
    switch operation {
    case let dot as Dot: matmul(dot, operands)
    case let convolution as Convolution: convolved(convolution, operands)
    case let gradient as ConvolutionInputGradient: inputGradient(gradient, operands)
    case let gradient as ConvolutionKernelGradient: kernelGradient(gradient, operands)
    case let attention as Attention: attended(attention, operands)
    case let gradient as AttentionGradient: attentionGradient(gradient, operands)
    default: nil
    }
  }
}
