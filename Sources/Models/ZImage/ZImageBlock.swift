import Layers
import Tensors

/// One single-stream block: attention and a gated MLP, each between two norms. Blocks on the image's
/// tokens are modulated by the times' embedding, with a scale before and a gate after.
struct ZImageBlock {
  let attention: ZImageAttention
  let mlp: GatedMLP
  let attentionNorms: [RMSNorm]
  let mlpNorms: [RMSNorm]
  let modulation: LinearMap?

  init(_ scope: Scope, _ config: ZImageConfig, isModulated: Bool) {
    let width = config.width
    func norms(_ name: String) -> [RMSNorm] {
      [1, 2].map { RMSNorm(scope / "\(name)\($0)", width, epsilon: config.normEpsilon) }
    }
    attention = ZImageAttention(scope / "attention", config)
    mlp = GatedMLP(
      scope / "feed_forward", width, hidden: config.hidden,
      names: .init(gate: "w1", up: "w3", down: "w2"), activation: .silu)
    attentionNorms = norms("attention_norm")
    mlpNorms = norms("ffn_norm")
    modulation =
      isModulated
      ? (scope / "adaLN_modulation").linear(
        "0", config.signalWidth, 4 * width, initial: .zeros, from: .embed, to: .hidden) : nil
  }

  /// Tokens `[batch, tokens, width]` to the same shape.
  ///
  /// - Parameter signal: the embedding of the times, `[batch, signal width]`, for a block that has a
  ///   modulation.
  func callAsFunction(
    _ x: Tensor, signal: Tensor?, rotary: Rotary, _ options: AttentionOptions
  ) -> Tensor {
    guard let modulation, let signal else {
      let h = x + attentionNorms[1](attention(attentionNorms[0](x), rotary, options))
      return (h + mlpNorms[1](mlp(mlpNorms[0](h)))).sharded(.batch)
    }
    let m = modulation(signal).sharded(.batch).expanded([1]).split(4, axis: -1)
    let mixed = attention(attentionNorms[0](x) * (1 + m[0]), rotary, options)
    let h = x + m[1].tanh() * attentionNorms[1](mixed)
    return (h + m[3].tanh() * mlpNorms[1](mlp(mlpNorms[0](h) * (1 + m[2])))).sharded(.batch)
  }
}

/// Self-attention whose maps have no biases, with norms of each head's queries and keys.
struct ZImageAttention {
  let maps: FusedMaps
  let norms: [RMSNorm]
  let output: LinearMap
  let heads: Int

  init(_ scope: Scope, _ config: ZImageConfig) {
    let width = config.width
    maps = FusedMaps(
      ["to_q", "to_k", "to_v"].map {
        scope.linear(
          $0, width, width, bias: false, initial: .xavier(width, 3 * width), from: .embed,
          to: .heads)
      })
    // The published code has this epsilon whatever that of the other norms is.
    norms = (config.hasHeadNorms ? ["norm_q", "norm_k"] : []).map {
      RMSNorm(scope / $0, config.headWidth, epsilon: 1e-5)
    }
    output = (scope / "to_out").linear("0", width, width, bias: false, from: .heads, to: .embed)
    heads = config.heads
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ rotary: Rotary, _ options: AttentionOptions) -> Tensor {
    let parts = maps(x).reshape([x.shape[0], x.shape[1], 3, heads, x.shape[2] / heads])
      .sharded(.batch, nil, nil, .heads).unstack(2)
    let turned = (0..<2).map { rotary(norms.isEmpty ? parts[$0] : norms[$0](parts[$0])) }
    return output(
      turned[0].attention(keys: turned[1], values: parts[2], options).reshape(x.shape))
  }
}

/// The last layer: a norm that the times' embedding scales, and the map to the features of patches.
struct ZImageOutput {
  let norm: LayerNorm
  let modulation: LinearMap
  let map: LinearMap

  init(_ scope: Scope, _ config: ZImageConfig, features: Int) {
    norm = LayerNorm(scope / "norm_final", config.width, affine: false)
    map = scope.linear("linear", config.width, features, initial: .zeros, from: .embed)
    modulation = (scope / "adaLN_modulation").linear(
      "1", config.signalWidth, config.width, initial: .zeros, from: .embed, to: .hidden)
  }

  /// Tokens `[batch, tokens, width]` to `[batch, tokens, features]`.
  func callAsFunction(_ x: Tensor, signal: Tensor) -> Tensor {
    map(norm(x) * (1 + modulation(signal.silu()).sharded(.batch).expanded([1])))
  }
}

/// The embedder of a time: sinusoidal features followed by an MLP with 1024 hidden features.
struct ZImageTimeEmbedder {
  private let mlp: MLP
  private let scale: Double

  /// Makes an embedder.
  ///
  /// - Parameter initial: the initializer of a matrix by its input and output features.
  init(_ scope: Scope, _ config: ZImageConfig, initial: (Int, Int) -> Initializer) {
    let (maps, hidden, width) = (scope / "mlp", 1024, config.signalWidth)
    mlp = MLP(
      maps.linear("0", 256, hidden, initial: initial(256, hidden), to: .hidden),
      maps.linear("2", hidden, width, initial: initial(hidden, width), from: .hidden, to: .embed)
    ) { $0.silu() }
    scale = config.timeScale
  }

  /// Times `[batch]` to `[batch, signal width]` in f32.
  func callAsFunction(_ time: Tensor) -> Tensor {
    mlp((time.cast(to: .float32) * scale).publishedSinusoidal(256))
  }
}

extension ZImageConfig {
  /// The hidden features of a block's MLP, 8/3 of the width with the rounding of the published code.
  var hidden: Int { Int(Double(width) / 3 * 8) }
}
