import Layers
import Tensors

/// The residual blocks of one resolution, each followed by attention if the level has it.
struct AutoencoderKLBlocks {
  let blocks: [AutoencoderKLResidual]
  let attention: [AutoencoderKLAttention]

  init(
    _ scope: Scope, _ input: Int, _ output: Int, count: Int, attends: Bool, groups: Int
  ) {
    blocks = (0..<count).map {
      AutoencoderKLResidual(
        scope / "resnets" / $0, $0 == 0 ? input : output, output, groups: groups)
    }
    attention = (0..<(attends ? count : 0)).map {
      AutoencoderKLAttention(scope / "attentions" / $0, output, groups: groups)
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    blocks.indices.reduce(x) { h, i in
      let h = blocks[i](h)
      return attention.isEmpty ? h : attention[i](h)
    }
  }
}

/// The middle of encoder or decoder: two residual blocks, with attention between them if there is any.
struct AutoencoderKLMiddle {
  let first: AutoencoderKLResidual
  let attention: AutoencoderKLAttention?
  let second: AutoencoderKLResidual

  init(_ scope: Scope, _ width: Int, _ config: AutoencoderKLConfig) {
    let blocks = scope / "resnets"
    first = AutoencoderKLResidual(blocks / 0, width, width, groups: config.groups)
    attention =
      config.hasMiddleAttention
      ? AutoencoderKLAttention(scope / "attentions" / 0, width, groups: config.groups) : nil
    second = AutoencoderKLResidual(blocks / 1, width, width, groups: config.groups)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = first(x)
    return second(attention?(h) ?? h)
  }
}

/// Two convolutions, each after a norm and SiLU, added to the input.
struct AutoencoderKLResidual {
  let norm1: GroupNorm
  let convolution1: Convolution2D
  let norm2: GroupNorm
  let convolution2: Convolution2D
  let shortcut: Convolution2D?

  init(_ scope: Scope, _ input: Int, _ output: Int, groups: Int) {
    norm1 = GroupNorm(scope / "norm1", groups: groups, channels: input, epsilon: 1e-6)
    convolution1 = Convolution2D(scope / "conv1", input, output, kernel: 3, padding: 1)
    norm2 = GroupNorm(scope / "norm2", groups: groups, channels: output, epsilon: 1e-6)
    convolution2 = Convolution2D(scope / "conv2", output, output, kernel: 3, padding: 1)
    shortcut =
      input == output ? nil : Convolution2D(scope / "conv_shortcut", input, output, kernel: 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = convolution2(norm2(convolution1(norm1(x).silu())).silu())
    return (shortcut?(x) ?? x) + h
  }
}

/// Single-head attention among all pixels, added to the input.
struct AutoencoderKLAttention {
  let norm: GroupNorm
  let attention: SelfAttention

  init(_ scope: Scope, _ width: Int, groups: Int) {
    norm = GroupNorm(scope / "group_norm", groups: groups, channels: width, epsilon: 1e-6)
    attention = SelfAttention(scope, width: width, heads: 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let tokens = norm(x).reshape([x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
    return x + attention(tokens).reshape(x.shape)
  }
}

/// The last norm, activation and convolution.
struct AutoencoderKLHead {
  let norm: GroupNorm
  let convolution: Convolution2D

  init(_ scope: Scope, _ width: Int, _ output: Int, groups: Int) {
    norm = GroupNorm(scope / "conv_norm_out", groups: groups, channels: width, epsilon: 1e-6)
    convolution = Convolution2D(
      scope / "conv_out", width, output, kernel: 3, padding: 1, to: nil)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { convolution(norm(x).silu()) }
}
