/// What an NVIDIA GPU computes in cuDNN.
struct CUDALowering: Lowering {
  func replacement(for operation: any Operation, _ operands: [Tensor]) -> [Tensor]? {
    switch operation {
    case let attention as Attention: FusedAttention.forward(operands, of: attention)
    case let gradient as AttentionGradient: FusedAttention.gradient(operands, of: gradient)
    case let gradient as ConvolutionKernelGradient: gradient.convolved(operands)
    default: nil
    }
  }
}
