import Layers
import Tensors

/// One double-stream block: joint attention among the tokens of images and text, and an MLP for each of
/// the two streams.
struct QwenImageBlock {
  let image: QwenImageStream
  let text: QwenImageStream

  /// The inputs that all blocks share.
  struct Context {
    /// The embedding of the times after SiLU, `[batch, width]`.
    let signal: Tensor
    /// The modulation of reference images, if it is not that of the others.
    let clean: CleanTokens?
    /// The rotary embeddings of image and text tokens.
    let rotary: (image: Rotary, text: Rotary)
    /// The options of joint attention, images before text.
    let attention: AttentionOptions
  }

  /// Tokens that are modulated with time 0.
  struct CleanTokens {
    /// The embedding of time 0 after SiLU, `[batch, width]`.
    let signal: Tensor
    /// Bools `[1, tokens, 1]`, false for these tokens.
    let isNoisy: Tensor
  }

  init(_ scope: Scope, _ config: QwenImageConfig) {
    image = QwenImageStream(
      scope, config, "img", maps: ["to_q", "to_k", "to_v"], norms: ["norm_q", "norm_k"],
      output: "to_out.0")
    text = QwenImageStream(
      scope, config, "txt", maps: ["add_q_proj", "add_k_proj", "add_v_proj"],
      norms: ["norm_added_q", "norm_added_k"], output: "to_add_out")
  }

  /// The tokens of images `[batch, tokens, width]` and of text likewise.
  func callAsFunction(_ x: Tensor, _ y: Tensor, _ context: Context) -> [Tensor] {
    let m = image.modulations(context.signal, context.clean)
    let n = text.modulations(context.signal, nil)
    let joint = zip(
      image.heads(x, m, context.rotary.image), text.heads(y, n, context.rotary.text)
    ).map { Tensor.concatenate([$0, $1], axis: 1) }
    let mixed = joint[0].attention(keys: joint[1], values: joint[2], context.attention)
      .reshape([x.shape[0], x.shape[1] + y.shape[1], x.shape[2]])
      .split(sizes: [x.shape[1], y.shape[1]], axis: 1)
    return [image(x, mixed[0], m), text(y, mixed[1], n)]
  }
}

/// The weights of a block for the tokens of images, or of text.
struct QwenImageStream {
  let modulation: LinearMap
  let norm: LayerNorm
  let maps: FusedMaps
  let queryNorm: RMSNorm
  let keyNorm: RMSNorm
  let output: LinearMap
  let mlp: MLP
  let count: Int

  init(
    _ scope: Scope, _ config: QwenImageConfig, _ name: String, maps: [String], norms: [String],
    output: String
  ) {
    let (width, attention) = (config.width, scope / "attn")
    modulation = (scope / "\(name)_mod").linear(
      "1", width, 6 * width, initial: .zeros, from: .embed, to: .hidden)
    norm = LayerNorm(scope / "\(name)_norm", width, affine: false)
    self.maps = FusedMaps(
      maps.map {
        attention.linear(
          $0, width, width, initial: .xavier(width, 3 * width), from: .embed, to: .heads)
      })
    queryNorm = RMSNorm(attention / norms[0], config.headWidth)
    keyNorm = RMSNorm(attention / norms[1], config.headWidth)
    self.output = attention.linear(output, width, width, from: .heads, to: .embed)
    mlp = .feedForward(scope / "\(name)_mlp", width: width)
    count = config.heads
  }

  /// Shift, scale and gate of attention, then those of the MLP: `[batch, 1, width]`, or
  /// `[batch, tokens, width]` where tokens differ.
  func modulations(_ signal: Tensor, _ clean: QwenImageBlock.CleanTokens?) -> [Tensor] {
    func split(_ signal: Tensor) -> [Tensor] {
      modulation(signal).sharded(.batch).expanded([1]).split(6, axis: -1)
    }
    guard let clean else { return split(signal) }
    return zip(split(signal), split(clean.signal)).map { clean.isNoisy.select($0, $1) }
  }

  /// Queries, keys and values `[batch, tokens, heads, width]`.
  func heads(_ x: Tensor, _ m: [Tensor], _ rotary: Rotary) -> [Tensor] {
    let parts = maps(norm(x) * (1 + m[1]) + m[0])
      .reshape([x.shape[0], x.shape[1], 3, count, x.shape[2] / count])
      .sharded(.batch, nil, nil, .heads).unstack(2)
    return [rotary(queryNorm(parts[0])), rotary(keyNorm(parts[1])), parts[2]]
  }

  /// Adds the output of attention and then of the MLP.
  func callAsFunction(_ x: Tensor, _ mixed: Tensor, _ m: [Tensor]) -> Tensor {
    let h = x + m[2] * output(mixed)
    let y = (h + m[5] * mlp(norm(h) * (1 + m[4]) + m[3])).sharded(.batch)
    // Activations go beyond f16's range; diffusers clips them too.
    return y.dtype == .float16 ? y.clamped(-65504...65504) : y
  }
}
