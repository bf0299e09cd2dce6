import Tensors

/// A convolution of each channel of `[batch, height, width, channels]` with a square kernel of its own,
/// which keeps the height and width.
///
/// The kernel is stored as `[channels, 1, rows, columns]`, PyTorch's layout.
public struct DepthwiseConvolution {
  let weight: Tensor
  let bias: Tensor?

  /// Makes a convolution.
  ///
  /// - Parameters:
  ///   - kernel: the rows and columns of the kernel, an odd number.
  ///   - channels: what the channels stand for, which says how the weights are split over devices.
  public init(
    _ scope: Scope, _ width: Int, kernel: Int, bias: Bool = true,
    channels: LogicalAxis? = .hidden
  ) {
    let initial = Initializer.fanIn(kernel * kernel)
    weight = scope.weight("weight", [width, 1, kernel, kernel], initial, axes: [channels])
    self.bias = bias ? scope.weight("bias", [width], initial, axes: [channels]) : nil
  }

  /// Applies the convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let sizes = weight.shape
    let kernel = weight.cast(to: x.dtype).reshape([sizes[0], sizes[2], sizes[3]])
    let y = x.depthwiseConvolution(kernel.transpose([1, 2, 0]))
    return bias.map { y + $0.cast(to: x.dtype) } ?? y
  }
}
