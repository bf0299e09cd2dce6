import Layers
import Tensors
import Weights

/// The feed-forward network of SANA and of its autoencoder: Xie and others, "SANA: Efficient high-resolution
/// image synthesis with linear diffusion transformers", 2024; diffusers' `GLUMBConv`.
///
/// Features are expanded, mixed with those of the neighbours by a convolution of each channel, gated by one
/// half of the channels, and projected. The maps are 1 × 1 convolutions on disk.
struct MixFFN {
  let expansion: LinearMap
  let mixing: DepthwiseConvolution
  let projection: LinearMap

  /// Makes a network `width → hidden → width`.
  init(_ scope: Scope, _ width: Int, hidden: Int) {
    expansion = scope.linear("conv_inverted", width, 2 * hidden, from: .embed, to: .hidden)
    mixing = DepthwiseConvolution(scope / "conv_depth", 2 * hidden, kernel: 3)
    projection = scope.linear(
      "conv_point", hidden, width, bias: false, from: .hidden, to: .embed)
  }

  /// `[batch, height, width, features]` to the same shape.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let mixed = mixing(expansion(x).silu().sharded(.batch, nil, nil, .hidden))
    let halves = mixed.split(2, axis: 3)
    return projection(halves[0] * halves[1].silu())
  }

  /// The layout on disk of the network at a path.
  static func rules(_ path: String) -> [NameMap.Rule] {
    ["conv_inverted", "conv_point"].map { .pointwise("\(path).\($0).weight", axes: 2) }
  }
}
