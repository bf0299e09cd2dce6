import Layers
import Tensors

/// A block of one resolution.
enum AutoencoderDCBlock {
  /// Two convolutions.
  case residual(DCResidual)
  /// Linear attention and a Mix-FFN.
  case attention(DCAttention, DCMixing)

  init(_ scope: Scope, _ side: AutoencoderDCConfig.Side, level: Int, headWidth: Int) {
    let (width, norm) = (side.widths[level], side.norms[level])
    switch side.blocks[level] {
    case .residual:
      self = .residual(DCResidual(scope, width, norm, side.activations[level]))
    case .attention:
      self = .attention(
        DCAttention(
          scope / "attn", width, headWidth: headWidth, kernels: side.kernels[level], norm),
        DCMixing(scope / "conv_out", width))
    }
  }

  /// `[batch, height, width, features]` to the same shape.
  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .residual(let block): block(x)
    case .attention(let attention, let mixing): mixing(attention(x))
    }
  }
}

/// A norm of the features of a pixel.
enum DCNorm {
  case rms(RMSNorm)
  case layer(LayerNorm)
  case batch(BatchNorm)

  init(_ scope: Scope, _ width: Int, _ kind: AutoencoderDCConfig.Norm) {
    switch kind {
    case .rms: self = .rms(RMSNorm(scope, width, epsilon: 1e-5, bias: true))
    case .layer: self = .layer(LayerNorm(scope, width, epsilon: 1e-5))
    case .batch: self = .batch(BatchNorm(scope, width, epsilon: 1e-5))
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .rms(let norm): norm(x)
    case .layer(let norm): norm(x)
    case .batch(let norm): norm(x)
    }
  }
}

/// Two convolutions with an activation between them and a norm behind, added to the input.
struct DCResidual {
  let convolution1: Convolution2D
  let convolution2: Convolution
  let norm: DCNorm
  let activation: Activation

  init(
    _ scope: Scope, _ width: Int, _ norm: AutoencoderDCConfig.Norm, _ activation: Activation
  ) {
    convolution1 = Convolution2D(scope / "conv1", width, width, kernel: 3, padding: 1)
    convolution2 = Convolution(
      scope / "conv2", width, width, kernel: [3, 3], padding: [.both(1), .both(1)], bias: false)
    self.norm = DCNorm(scope / "norm", width, norm)
    self.activation = activation
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    norm(convolution2(activation(convolution1(x)))) + x
  }
}

/// Linear attention among all pixels, of features and of their convolutions with several kernels, added to
/// the input: Cai and others, "EfficientViT", 2023.
///
/// As published, a head takes its query, key and value from three neighbouring groups of the features of
/// all queries, keys and values.
struct DCAttention {
  let maps: [LinearMap]
  let scales: [DCScale]
  let output: LinearMap
  let norm: DCNorm
  let headWidth: Int

  init(
    _ scope: Scope, _ width: Int, headWidth: Int, kernels: [Int],
    _ norm: AutoencoderDCConfig.Norm
  ) {
    let heads = width / headWidth
    let inner = heads * headWidth
    maps = ["to_q", "to_k", "to_v"].map {
      scope.linear($0, width, inner, bias: false, from: .embed, to: .heads)
    }
    scales = kernels.enumerated().map { number, kernel in
      DCScale(
        scope / "to_qkv_multiscale" / number, groups: 3 * heads, groupWidth: headWidth,
        kernel: kernel)
    }
    output = scope.linear(
      "to_out", inner * (1 + kernels.count), width, bias: false, from: .heads, to: .embed)
    self.norm = DCNorm(scope / "norm_out", width, norm)
    self.headWidth = headWidth
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let own = Tensor.concatenate(maps.map { $0(x) }, axis: -1)
    let all = Tensor.concatenate([own] + scales.map { $0(own) }, axis: -1)
    let parts = all.reshape([x.shape[0], x.shape[1] * x.shape[2], -1, 3, headWidth]).unstack(3)
    let mixed = parts[0].linearAttention(keys: parts[1], values: parts[2])
    return norm(output(mixed.reshape([x.shape[0], x.shape[1], x.shape[2], -1]))) + x
  }
}

/// A convolution of each feature of queries, keys and values, and a map within each group of features.
struct DCScale {
  let convolution: DepthwiseConvolution
  let map: Tensor
  let groups: Int

  init(_ scope: Scope, groups: Int, groupWidth: Int, kernel: Int) {
    let width = groups * groupWidth
    convolution = DepthwiseConvolution(
      scope / "proj_in", width, kernel: kernel, bias: false, channels: .heads)
    map = (scope / "proj_out").weight(
      "weight", [width, groupWidth, 1, 1], .fanIn(groupWidth), axes: [.heads])
    self.groups = groups
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let width = x.shape[3] / groups
    let rows = convolution(x).reshape([-1, groups, width])
    let maps = map.cast(to: x.dtype).reshape([groups, width, width])
    return Tensor.einsum("ngi,goi->ngo", rows, maps).reshape(x.shape)
  }
}

/// A Mix-FFN with a norm behind it, added to the input.
struct DCMixing {
  let mlp: MixFFN
  let norm: RMSNorm

  init(_ scope: Scope, _ width: Int) {
    mlp = MixFFN(scope, width, hidden: 4 * width)
    norm = RMSNorm(scope / "norm", width, epsilon: 1e-5, bias: true)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { norm(mlp(x)) + x }
}
