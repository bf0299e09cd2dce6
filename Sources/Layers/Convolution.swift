import Tensors

/// A two-dimensional convolution of `[batch, height, width, channels]`.
///
/// The kernel is stored as `[out, in / groups, height, width]`, PyTorch's layout.
public struct Convolution2D {
  let weight: Tensor
  let bias: Tensor
  let window: ConvolutionWindow

  /// Makes a convolution with a square kernel.
  ///
  /// - Parameter to: what the output's channels stand for, which says how the weights are split over
  ///   devices.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    groups: Int = 1, initial: Initializer? = nil, to: LogicalAxis? = .embed
  ) {
    let fan = Initializer.fanIn(input / groups * kernel * kernel)
    weight = scope.weight(
      "weight", [output, input / groups, kernel, kernel], initial ?? fan, axes: [to])
    bias = scope.weight("bias", [output], initial ?? fan, axes: [to])
    window = ConvolutionWindow(stride: stride, padding: padding, groups: groups)
  }

  /// Applies the convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let kernel = weight.cast(to: x.dtype).transpose([2, 3, 1, 0])
    return x.convolution(kernel, window) + bias.cast(to: x.dtype)
  }
}

/// A two-dimensional transposed convolution of `[batch, height, width, channels]`.
///
/// The kernel is stored as `[in, out, height, width]`, PyTorch's layout.
public struct TransposedConvolution2D {
  let weight: Tensor
  let bias: Tensor
  let window: ConvolutionWindow

  /// Makes a transposed convolution with a square kernel.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int = 0
  ) {
    let fan = Initializer.fanIn(output * kernel * kernel)
    weight = scope.weight("weight", [input, output, kernel, kernel], fan, axes: [nil, .embed])
    bias = scope.weight("bias", [output], fan, axes: [.embed])
    window = ConvolutionWindow(stride: stride, padding: padding)
  }

  /// Applies the transposed convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let kernel = weight.cast(to: x.dtype).transpose([2, 3, 1, 0])
    return x.transposedConvolution(kernel, window) + bias.cast(to: x.dtype)
  }
}
