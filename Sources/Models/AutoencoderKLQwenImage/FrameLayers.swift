import Layers
import Tensors

/// A causal convolution of videos on the only frame of an image `[batch, height, width, channels]`.
///
/// Before the first frame there are zeros, so that of the kernel `[out, in, time, height, width]` only the
/// last step in time has an effect.
struct FrameConvolution {
  let weight: Tensor
  let bias: Tensor

  /// Makes a convolution with a cubic kernel, which keeps the frame's size.
  init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: Int = 3, to: LogicalAxis? = .embed
  ) {
    let initial = Initializer.fanIn(input * kernel * kernel * kernel)
    weight = scope.weight(
      "weight", [output, input, kernel, kernel, kernel], initial, axes: [to])
    bias = scope.weight("bias", [output], initial, axes: [to])
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let (output, input, size) = (weight.shape[0], weight.shape[1], weight.shape[2])
    let kernel = weight.slice(2, size - 1..<size).reshape([output, input, size, size])
      .cast(to: x.dtype).transpose([2, 3, 1, 0])
    return x.convolution(kernel, ConvolutionWindow(padding: size / 2)) + bias.cast(to: x.dtype)
  }
}

/// Normalization of the channels of each pixel to mean square 1, with a factor for each channel.
struct ChannelNorm {
  let weight: Tensor

  /// Makes a norm.
  ///
  /// - Parameter axes: the axes of size 1 that follow the channels in the weight.
  init(_ scope: Scope, _ width: Int, axes: Int = 3) {
    weight = scope.weight("gamma", Shape([width] + [Int](repeating: 1, count: axes)), .ones)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let wide = x.wide
    let width = Double(x.shape[-1])
    let factor = weight.reshape([x.shape[-1]]).cast(to: wide.dtype) * width.squareRoot()
    // The published norm is at least 1e-12.
    let inverse = wide.squared().sum([-1], keep: true).maximum(1e-24).rsqrt()
    return (wide * inverse * factor).cast(to: x.dtype)
  }
}

/// Halves height and width by a convolution with a stride of 2, padded below and to the right.
struct FrameDownsample {
  let convolution: Convolution

  /// Makes the layer; with `time` it has weights for downsampling time, which frames after the first use.
  init(_ scope: Scope, _ width: Int, time: Bool) {
    convolution = Convolution(
      scope / "resample" / 1, width, width, kernel: [3, 3], strides: [2, 2],
      padding: [.init(0, 1), .init(0, 1)])
    if time { declareUnusedTime(scope / "time_conv", width, width) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor { convolution(x) }
}

/// Doubles height and width by repeating pixels, and halves the features by a convolution.
struct FrameUpsample {
  let convolution: Convolution2D

  /// Makes the layer; with `time` it has weights for upsampling time, which frames after the first use.
  init(_ scope: Scope, _ width: Int, time: Bool) {
    convolution = Convolution2D(
      scope / "resample" / 1, width, width / 2, kernel: 3, padding: 1)
    if time { declareUnusedTime(scope / "time_conv", width, 2 * width) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor { convolution(x.upsampledNearest(2)) }
}

/// Binds the weights of a convolution over time alone, which a single frame does not pass.
private func declareUnusedTime(_ scope: Scope, _ input: Int, _ output: Int) {
  let initial = Initializer.fanIn(3 * input)
  _ = scope.weight("weight", [output, input, 3, 1, 1], initial, axes: [.embed])
  _ = scope.weight("bias", [output], initial, axes: [.embed])
}
