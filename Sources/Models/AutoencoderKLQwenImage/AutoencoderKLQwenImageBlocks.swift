import Layers
import Tensors

/// Two convolutions, each after a norm and SiLU, added to the input.
struct AutoencoderKLQwenImageResidual {
  let norm1: ChannelNorm
  let convolution1: FrameConvolution
  let norm2: ChannelNorm
  let convolution2: FrameConvolution
  let shortcut: FrameConvolution?

  init(_ scope: Scope, _ input: Int, _ output: Int) {
    norm1 = ChannelNorm(scope / "norm1", input)
    convolution1 = FrameConvolution(scope / "conv1", input, output)
    norm2 = ChannelNorm(scope / "norm2", output)
    convolution2 = FrameConvolution(scope / "conv2", output, output)
    shortcut =
      input == output ? nil : FrameConvolution(scope / "conv_shortcut", input, output, kernel: 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = convolution2(norm2(convolution1(norm1(x).silu())).silu())
    return (shortcut?(x) ?? x) + h
  }
}

/// Single-head attention among all pixels of the frame, added to the input.
struct AutoencoderKLQwenImageAttention {
  let norm: ChannelNorm
  let qkv: Convolution2D
  let output: Convolution2D

  init(_ scope: Scope, _ width: Int) {
    norm = ChannelNorm(scope / "norm", width, axes: 2)
    qkv = Convolution2D(scope / "to_qkv", width, 3 * width, kernel: 1, to: nil)
    output = Convolution2D(scope / "proj", width, width, kernel: 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let packed = qkv(norm(x)).reshape([x.shape[0], x.shape[1] * x.shape[2], 3, 1, x.shape[3]])
    return x + output(packed.selfAttention().reshape(x.shape))
  }
}

/// The middle of encoder or decoder: two residual blocks with attention between them.
struct AutoencoderKLQwenImageMiddle {
  let first: AutoencoderKLQwenImageResidual
  let attention: AutoencoderKLQwenImageAttention
  let second: AutoencoderKLQwenImageResidual

  init(_ scope: Scope, _ width: Int) {
    first = AutoencoderKLQwenImageResidual(scope / "resnets" / 0, width, width)
    attention = AutoencoderKLQwenImageAttention(scope / "attentions" / 0, width)
    second = AutoencoderKLQwenImageResidual(scope / "resnets" / 1, width, width)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { second(attention(first(x))) }
}

/// The last norm, activation and convolution.
struct AutoencoderKLQwenImageHead {
  let norm: ChannelNorm
  let convolution: FrameConvolution

  init(_ scope: Scope, _ width: Int, _ output: Int) {
    norm = ChannelNorm(scope / "norm_out", width)
    convolution = FrameConvolution(scope / "conv_out", width, output, to: nil)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { convolution(norm(x).silu()) }
}
