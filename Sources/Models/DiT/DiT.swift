import Flow
import Layers
import Tensors

/// A class-conditional diffusion transformer: Peebles and Xie, "Scalable diffusion models with
/// transformers", 2023; with a second time embedder for the target time.
///
/// The time's features are `E₁(t) + E₂(tt)·(t − tt)`; for tt = t it is the ordinary network.
public struct DiT: VelocityModel {
  let config: DiTConfig
  let patches: LinearMap
  let time: MLP
  let target: MLP
  let classEmbedding: Embedding
  let blocks: Stack<DiTBlock>
  let norm: LayerNorm
  let head: DiTHead
  let twinHead: DiTHead?

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: DiTConfig) {
    self.config = config
    let width = config.width
    patches = scope.linear("patches", config.patchFeatures, width, to: .embed)
    time = MLP(scope / "time", 256, hidden: width, width, initial: .normal(0.02)) { $0.silu() }
    target = MLP(scope / "target", 256, hidden: width, width, initial: .normal(0.02)) { $0.silu() }
    classEmbedding = Embedding(scope / "class_embedding", count: config.classes + 1, width: width)
    blocks = Stack(scope / "blocks", count: config.depth, execution: config.execution) {
      DiTBlock($0, config)
    }
    norm = LayerNorm(scope / "norm", width, affine: false)
    head = DiTHead(scope, config)
    twinHead = config.hasTwinHead ? DiTHead(scope / TwinHead.name, config) : nil
  }

  /// - Parameters:
  ///   - x: images `[batch, height, width, channels]`.
  ///   - condition: `class`, indices `[batch]`; the number of classes itself means no class.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    evaluated(x, t, tt, condition, after: []).output
  }

  /// The velocity, and the features after chosen layers.
  private func evaluated(
    _ x: Tensor, _ t: Tensor, _ tt: Tensor, _ condition: Named<Tensor>, after layers: [Int]
  ) -> (output: Tensor, features: [Tensor]) {
    let patch = config.patch
    precondition(
      x.rank == 4 && x.shape[1] % patch == 0 && x.shape[2] % patch == 0
        && x.shape[3] == config.channels,
      "the network takes images of patches of \(patch)² × \(config.channels), not \(x.type)")
    guard let classes = condition["class"] else { preconditionFailure("the class is missing") }
    let (batch, rows, columns) = (x.shape[0], x.shape[1] / patch, x.shape[2] / patch)
    let embed = { (mlp: MLP, time: Tensor) in
      mlp((time.cast(to: .float32) * config.timeScale).sinusoidal(256))
    }
    let gap = (t - tt).cast(to: .float32).expanded([1])
    let context =
      embed(time, t) + embed(target, tt) * gap
      + classEmbedding(classes).cast(to: .float32).shifted(by: condition)
    let signal = context.silu().cast(to: x.dtype)

    let tokens = x.reshape([batch, rows, patch, columns, patch, config.channels])
      .transpose([0, 1, 3, 2, 4, 5]).reshape([batch, rows * columns, -1])
    let positions = Tensor.positions(height: rows, width: columns, features: config.width)
    let states = blocks.outputs([patches(tokens) + positions.cast(to: x.dtype)], after: layers) {
      block, h in [block(h[0], signal).sharded(.batch)]
    }

    let normed = norm(states.last[0])
    let y = head(normed, signal).replaced(onTwinOf: t, by: twinHead?(normed, signal))
    let image = y.reshape([batch, rows, columns, patch, patch, config.channels])
      .transpose([0, 1, 3, 2, 4, 5]).reshape(x.shape)
    return (image, states.chosen.map { $0[0] })
  }
}

extension DiT: FeatureModel {
  /// The tokens after chosen layers.
  public func features(
    after layers: [Int], _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    evaluated(x, t, tt, condition, after: layers).features
  }
}

/// What follows the blocks: a map to the pixels of patches, shifted and scaled by time and class.
struct DiTHead {
  let modulation: LinearMap
  let output: LinearMap

  init(_ scope: Scope, _ config: DiTConfig) {
    let width = config.width
    modulation = scope.linear(
      "modulation", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    output = scope.linear(
      "output", width, config.patchFeatures, initial: .zeros, from: .embed)
  }

  /// Patches `[batch, tokens, pixels]` of normed tokens `[batch, tokens, width]` with the signal
  /// `[batch, width]`.
  func callAsFunction(_ normed: Tensor, _ signal: Tensor) -> Tensor {
    let m = modulation(signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    return output(normed * (1 + m[1]) + m[0])
  }
}

/// One transformer block whose norms are shifted, scaled and gated by time and class.
struct DiTBlock {
  let modulation: LinearMap
  let norm: LayerNorm
  let attention: SelfAttention
  let mlp: MLP

  init(_ scope: Scope, _ config: DiTConfig) {
    let width = config.width
    modulation = scope.linear(
      "modulation", width, 6 * width, initial: .zeros, from: .embed, to: .hidden)
    norm = LayerNorm(scope / "norm", width, affine: false)
    attention = SelfAttention(scope / "attention", width: width, heads: config.heads)
    mlp = MLP(scope / "mlp", width, hidden: config.mlpRatio * width, width, from: .embed) {
      $0.gelu(approximate: true)
    }
  }

  /// `[batch, tokens, width]` with the signal `[batch, width]`.
  func callAsFunction(_ x: Tensor, _ signal: Tensor) -> Tensor {
    let m = modulation(signal).sharded(.batch).expanded([1]).split(6, axis: -1)
    let h = x + m[2] * attention(norm(x) * (1 + m[1]) + m[0])
    return h + m[5] * mlp(norm(h) * (1 + m[4]) + m[3])
  }
}
