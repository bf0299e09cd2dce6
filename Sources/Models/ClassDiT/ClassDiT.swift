import Flow
import Layers
import Tensors

/// A class-conditional diffusion transformer with the published weights of Peebles and Xie, "Scalable
/// diffusion models with transformers", 2023: diffusers' `DiTTransformer2DModel`.
///
/// Every block has its own embedders for time and class; the last norm uses those of the first
/// block.
public struct ClassDiT {
  let config: ClassDiTConfig
  let patches: Convolution
  let blocks: Stack<ClassDiTBlock>
  let modulation: LinearMap
  let norm: LayerNorm
  let output: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: ClassDiTConfig) {
    self.config = config
    let (width, patch) = (config.width, config.patch)
    patches = Convolution(
      scope / "pos_embed" / "proj", config.channels, width, kernel: [patch, patch],
      strides: [patch, patch])
    blocks = Stack(
      scope / "transformer_blocks", count: config.depth, execution: config.execution
    ) { ClassDiTBlock($0, config) }
    norm = LayerNorm(scope / "norm_out", width, affine: false)
    modulation = scope.linear(
      "proj_out_1", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    output = scope.linear(
      "proj_out_2", width, patch * patch * config.outputChannels, initial: .zeros, from: .embed)
  }

  /// Predicts noise and variances from latents of any height and width that are multiples of the patch
  /// size. The positions of other sizes than the trained one are scaled to the same range.
  ///
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - timestep: `[batch]`, from 0 to 1000 in the published weights.
  ///   - classes: integers `[batch]`; the number of classes itself stands for no class.
  /// - Returns: `[batch, height, width, output channels]`.
  public func callAsFunction(_ x: Tensor, timestep: Tensor, classes: Tensor) -> Tensor {
    precondition(
      x.rank == 4 && x.shape[3] == config.channels && x.shape[1] % config.patch == 0
        && x.shape[2] % config.patch == 0,
      "the network takes latents of \(config.channels) channels in patches of \(config.patch)², not "
        + "\(x.type)")
    let (height, width) = (x.shape[1] / config.patch, x.shape[2] / config.patch)
    let positions = Tensor.positions(
      height: height, width: width, features: config.width, base: config.size / config.patch)
    var h = patches(x).reshape([x.shape[0], height * width, config.width])
    h = h + positions.cast(to: x.dtype)
    h = blocks(h) { block, h in block(h, timestep, classes).sharded(.batch) }

    let signal = blocks.layer(0).signal(timestep, classes, x.dtype)
    let m = modulation(signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    let y = output(norm(h) * (1 + m[1]) + m[0])
    return y.reshape([x.shape[0], height, width, config.patch, config.patch, config.outputChannels])
      .transpose([0, 1, 3, 2, 4, 5])
      .reshape([x.shape[0], x.shape[1], x.shape[2], config.outputChannels])
  }
}

extension ClassDiT: VelocityModel {
  /// The velocity, as Ma and others, "SiT", 2024, train this architecture: learned variances are dropped;
  /// times are multiplied by 1000. The network has no embedder for the target time and ignores it; use
  /// `TimeConvention.middle`.
  ///
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `class`, integers `[batch]`.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    guard let classes = condition["class"] else { preconditionFailure("the class is missing") }
    precondition(
      config.outputChannels >= config.channels,
      "\(config.outputChannels) output channels cannot hold a velocity of \(config.channels)")
    let all = self(x, timestep: t.cast(to: .float32) * 1000, classes: classes)
    return all.slice(3, 0..<config.channels)
  }
}

/// One transformer block whose norms are shifted, scaled and gated by time and class.
struct ClassDiTBlock {
  let time: TimestepEmbedder
  let classEmbedding: Embedding
  let modulation: LinearMap
  let norm1: LayerNorm
  let attention: SelfAttention
  let norm3: LayerNorm
  let mlp: MLP

  init(_ scope: Scope, _ config: ClassDiTConfig) {
    let width = config.width
    let embedders = scope / "norm1" / "emb"
    time = TimestepEmbedder(embedders / "timestep_embedder", width: width, shift: 1)
    classEmbedding = Embedding(
      embedders / "class_embedder" / "embedding_table", count: config.classes + 1, width: width)
    modulation = (scope / "norm1").linear(
      "linear", width, 6 * width, initial: .zeros, from: .embed, to: .hidden)
    norm1 = LayerNorm(scope / "norm1" / "norm", width, affine: false)
    attention = SelfAttention(
      scope / "attn1", width: width, heads: config.heads, bias: config.hasAttentionBias)
    norm3 = LayerNorm(
      scope / "norm3", width, affine: config.hasNormWeights, epsilon: config.normEpsilon)
    mlp = .feedForward(scope / "ff", width: width, approximate: config.approximatesGELU)
  }

  /// The embedding of times and classes `[batch]` after SiLU, `[batch, width]`.
  func signal(_ time: Tensor, _ classes: Tensor, _ dtype: DType) -> Tensor {
    (self.time(time) + classEmbedding(classes).cast(to: .float32)).silu().cast(to: dtype)
  }

  /// `[batch, tokens, width]` with times and classes `[batch]`.
  func callAsFunction(_ x: Tensor, _ time: Tensor, _ classes: Tensor) -> Tensor {
    let signal = signal(time, classes, x.dtype)
    let m = modulation(signal).sharded(.batch).expanded([1]).split(6, axis: -1)
    let h = x + m[2] * attention(norm1(x) * (1 + m[1]) + m[0])
    return h + m[5] * mlp(norm3(h) * (1 + m[4]) + m[3])
  }
}
