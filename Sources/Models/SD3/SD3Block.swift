import Layers
import Tensors

/// One double-stream block: joint attention among the tokens of the image and of text, and an MLP for each
/// of the two streams. Some blocks have a second attention among the image's tokens alone; the last one
/// drops the text after its attention.
struct SD3Block {
  let image: SD3Stream
  let text: SD3Stream
  let second: SD3Attention?

  /// The inputs that all blocks share.
  struct Context {
    /// The embedding of times and pooled text after SiLU, `[batch, width]`.
    let signal: Tensor
    /// The options of joint attention, the image before text.
    let attention: AttentionOptions
  }

  init(_ scope: Scope, _ config: SD3Config, hasSecondAttention: Bool, isLast: Bool) {
    image = SD3Stream(
      scope, config,
      SD3Attention(
        scope / "attn", config, maps: ["to_q", "to_k", "to_v"], norms: ["norm_q", "norm_k"],
        output: "to_out.0"),
      norm: "norm1", mlp: "ff", modulations: hasSecondAttention ? 9 : 6)
    text = SD3Stream(
      scope, config,
      SD3Attention(
        scope / "attn", config, maps: ["add_q_proj", "add_k_proj", "add_v_proj"],
        norms: ["norm_added_q", "norm_added_k"], output: isLast ? nil : "to_add_out"),
      norm: "norm1_context", mlp: isLast ? nil : "ff_context", modulations: isLast ? 2 : 6)
    second =
      hasSecondAttention
      ? SD3Attention(
        scope / "attn2", config, maps: ["to_q", "to_k", "to_v"], norms: ["norm_q", "norm_k"],
        output: "to_out.0") : nil
  }

  /// The tokens of the image `[batch, tokens, width]`, and those of text likewise, which the last block
  /// does not return.
  func callAsFunction(_ x: Tensor, _ y: Tensor, _ context: Context) -> [Tensor] {
    let (m, n) = (image.modulations(context.signal), text.modulations(context.signal))
    let normed = image.norm(x)
    let words =
      text.mlp == nil ? text.norm(y) * (1 + n[0]) + n[1] : text.norm(y) * (1 + n[1]) + n[0]
    let joint = zip(
      image.attention.heads(normed * (1 + m[1]) + m[0]), text.attention.heads(words)
    ).map { Tensor.concatenate([$0, $1], axis: 1) }
    let mixed = joint[0].attention(keys: joint[1], values: joint[2], context.attention)
      .reshape([x.shape[0], x.shape[1] + y.shape[1], x.shape[2]])
      .split(sizes: [x.shape[1], y.shape[1]], axis: 1)
    var h = x + m[2] * image.attention.joined(mixed[0])
    if let second { h = h + m[8] * second(normed * (1 + m[7]) + m[6]) }
    h = image.afterMLP(h, m)
    guard text.mlp != nil else { return [h] }
    return [h, text.afterMLP(y + n[2] * text.attention.joined(mixed[1]), n)]
  }
}

/// The weights of a block for the tokens of the image, or of text.
struct SD3Stream {
  let attention: SD3Attention
  let modulation: LinearMap
  let norm: LayerNorm
  let mlp: MLP?
  private let count: Int

  /// Binds the weights.
  ///
  /// - Parameters:
  ///   - norm: the name of the norm with its modulation.
  ///   - mlp: the name of the MLP, nil for none.
  ///   - modulations: the number of vectors that modulate a token.
  init(
    _ scope: Scope, _ config: SD3Config, _ attention: SD3Attention, norm: String, mlp: String?,
    modulations: Int
  ) {
    let width = config.width
    self.attention = attention
    count = modulations
    modulation = (scope / norm).linear(
      "linear", width, modulations * width, initial: .zeros, from: .embed, to: .hidden)
    self.norm = LayerNorm(scope / norm, width, affine: false)
    self.mlp = mlp.map { .feedForward(scope / $0, width: width) }
  }

  /// Shift, scale and gate of attention, those of the MLP, and those of the second attention,
  /// `[batch, 1, width]`; for the last block's text scale and shift of attention.
  func modulations(_ signal: Tensor) -> [Tensor] {
    modulation(signal).sharded(.batch).expanded([1]).split(count, axis: -1)
  }

  /// Adds the output of the MLP.
  func afterMLP(_ h: Tensor, _ m: [Tensor]) -> Tensor {
    guard let mlp else { preconditionFailure("the last block has no MLP for text") }
    return (h + m[5] * mlp(norm(h) * (1 + m[4]) + m[3])).sharded(.batch)
  }
}

/// The maps of attention for one stream, with norms of each head's queries and keys.
struct SD3Attention {
  let maps: FusedMaps
  let norms: [RMSNorm]
  let output: LinearMap?
  let count: Int

  init(
    _ scope: Scope, _ config: SD3Config, maps: [String], norms: [String], output: String?
  ) {
    let width = config.width
    self.maps = FusedMaps(
      maps.map {
        scope.linear(
          $0, width, width, initial: .xavier(width, 3 * width), from: .embed, to: .heads)
      })
    self.norms = config.hasHeadNorms ? norms.map { RMSNorm(scope / $0, config.headWidth) } : []
    self.output = output.map { scope.linear($0, width, width, from: .heads, to: .embed) }
    count = config.heads
  }

  /// Queries, keys and values `[batch, tokens, heads, width]`.
  func heads(_ x: Tensor) -> [Tensor] {
    let parts = maps(x).reshape([x.shape[0], x.shape[1], 3, count, x.shape[2] / count])
      .sharded(.batch, nil, nil, .heads).unstack(2)
    return norms.isEmpty ? parts : [norms[0](parts[0]), norms[1](parts[1]), parts[2]]
  }

  /// The joined heads after the last map.
  func joined(_ mixed: Tensor) -> Tensor {
    guard let output else { preconditionFailure("the last block has no map for text") }
    return output(mixed)
  }

  /// Attention among the tokens `[batch, tokens, width]` alone.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let parts = heads(x)
    return joined(
      parts[0].attention(keys: parts[1], values: parts[2], AttentionOptions()).reshape(x.shape))
  }
}
