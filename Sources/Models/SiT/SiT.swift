import Flow
import Layers
import Tensors

/// A class-conditional diffusion transformer with the published weights of Ma and others, "SiT: Exploring
/// flow and diffusion-based generative models with scalable interpolant transformers", 2024; and with a
/// second time embedder for the target time.
///
/// The published network counts time from noise, 0, to data, 1, and predicts data − noise. Here it gets
/// 1 − t of our times, and its output changes its sign. The time's features are `E₁(t) + E₂(tt)·(t − tt)`;
/// for tt = t it is the published network.
public struct SiT: VelocityModel {
  let config: SiTConfig
  let patches: Convolution
  let time: MLP
  let target: MLP?
  let classEmbedding: Embedding
  let blocks: Stack<SiTBlock>
  let modulation: LinearMap
  let norm: LayerNorm
  let output: LinearMap

  /// The number of sinusoidal features of a time.
  private static let timeFeatures = 256

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: SiTConfig) {
    self.config = config
    let (width, patch) = (config.width, config.patch)
    patches = Convolution(
      scope / "x_embedder" / "proj", config.channels, width, kernel: [patch, patch],
      strides: [patch, patch])
    let embedder = { (name: String) in
      let maps = scope / name / "mlp"
      return MLP(
        maps.linear("0", Self.timeFeatures, width, initial: .normal(0.02), to: .hidden),
        maps.linear("2", width, width, initial: .normal(0.02), from: .hidden, to: .embed)
      ) { $0.silu() }
    }
    time = embedder("t_embedder")
    target = config.hasTargetTime ? embedder(SiTConfig.targetEmbedder) : nil
    classEmbedding = Embedding(
      scope / "y_embedder" / "embedding_table", count: config.classes + 1, width: width)
    blocks = Stack(scope / "blocks", count: config.depth, execution: config.execution) {
      SiTBlock($0, config)
    }
    let last = scope / "final_layer"
    modulation = (last / "adaLN_modulation").linear(
      "1", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    norm = LayerNorm(last / "norm_final", width, affine: false)
    output = last.linear(
      "linear", width, patch * patch * config.outputChannels, initial: .zeros, from: .embed)
  }

  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `class`, indices `[batch]`; the number of classes itself means no class.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let patch = config.patch
    precondition(
      x.rank == 4 && x.shape[3] == config.channels && x.shape[1] % patch == 0
        && x.shape[2] % patch == 0,
      "the network takes latents of \(config.channels) channels in patches of \(patch)², not "
        + "\(x.type)")
    guard let classes = condition["class"] else { preconditionFailure("the class is missing") }
    let (rows, columns) = (x.shape[1] / patch, x.shape[2] / patch)
    let embed = { (mlp: MLP, time: Tensor) in
      mlp((1 - time.cast(to: .float32)).publishedSinusoidal(Self.timeFeatures))
    }
    var context =
      embed(time, t) + classEmbedding(classes).cast(to: .float32).shifted(by: condition)
    if let target {
      context = context + embed(target, tt) * (t - tt).cast(to: .float32).expanded([1])
    }
    let signal = context.silu().cast(to: x.dtype)

    let positions = Tensor.positions(
      height: rows, width: columns, features: config.width, base: config.size / patch)
    let tokens = patches(x).reshape([x.shape[0], rows * columns, config.width])
    let h = blocks(tokens + positions.cast(to: x.dtype)) { block, h in
      block(h, signal).sharded(.batch)
    }

    let m = modulation(signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    let y = output(norm(h) * (1 + m[1]) + m[0])
    let all = y.reshape([x.shape[0], rows, columns, patch, patch, config.outputChannels])
      .transpose([0, 1, 3, 2, 4, 5])
      .reshape([x.shape[0], x.shape[1], x.shape[2], config.outputChannels])
    // Learned variances, which the published networks have and do not use, are dropped.
    return -all.slice(3, 0..<config.channels)
  }
}

/// One transformer block whose norms are shifted, scaled and gated by time and class.
struct SiTBlock {
  let modulation: LinearMap
  let norm: LayerNorm
  let attention: SelfAttention
  let mlp: MLP

  init(_ scope: Scope, _ config: SiTConfig) {
    let (width, hidden) = (config.width, config.mlpRatio * config.width)
    modulation = (scope / "adaLN_modulation").linear(
      "1", width, 6 * width, initial: .zeros, from: .embed, to: .hidden)
    norm = LayerNorm(scope / "norm1", width, affine: false)
    attention = SelfAttention(scope / "attn", width: width, heads: config.heads)
    let maps = scope / "mlp"
    mlp = MLP(
      maps.linear("fc1", width, hidden, from: .embed, to: .hidden),
      maps.linear("fc2", hidden, width, from: .hidden, to: .embed)
    ) { $0.gelu(approximate: true) }
  }

  /// `[batch, tokens, width]` with the signal `[batch, width]`.
  func callAsFunction(_ x: Tensor, _ signal: Tensor) -> Tensor {
    let m = modulation(signal).sharded(.batch).expanded([1]).split(6, axis: -1)
    let h = x + m[2] * attention(norm(x) * (1 + m[1]) + m[0])
    return h + m[5] * mlp(norm(h) * (1 + m[4]) + m[3])
  }
}
