import Layers
import Tensors

/// One block: image tokens attend to each other and to the text, then an MLP; each is shifted, scaled
/// and gated by the time and the text's mean.
struct TextDiTBlock {
  let modulation: LinearMap
  let norm: LayerNorm
  let attention: TextDiTAttention
  let mlp: MLP

  /// The inputs that all blocks share.
  struct Context {
    /// The embedding of the times and of the text's mean after SiLU, `[batch, width]`.
    let signal: Tensor
    /// The tokens of the text, `[batch, tokens, width]`.
    let text: Tensor
    /// The rotary embedding of image tokens.
    let rotary: Rotary
    /// The options of attention to image tokens followed by those of the text.
    let attention: AttentionOptions
  }

  init(_ scope: Scope, _ config: TextDiTConfig) {
    let width = config.width
    modulation = scope.linear(
      "modulation", width, 6 * width, initial: .zeros, from: .embed, to: .hidden)
    norm = LayerNorm(scope / "norm", width, affine: false)
    attention = TextDiTAttention(scope / "attn", config)
    mlp = MLP(scope / "mlp", width, hidden: config.mlpRatio * width, width, from: .embed) {
      $0.gelu(approximate: true)
    }
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ context: Context) -> Tensor {
    let m = modulation(context.signal).sharded(.batch).expanded([1]).split(6, axis: -1)
    let h = x + m[2] * attention(norm(x) * (1 + m[1]) + m[0], context)
    return (h + m[5] * mlp(norm(h) * (1 + m[4]) + m[3])).sharded(.batch)
  }
}

/// Attention of image tokens to each other and to the tokens of a text, which are keys and values only,
/// as in Nichol and others, "GLIDE", 2022; queries and keys are normalized.
struct TextDiTAttention {
  let maps: FusedMaps
  let textMaps: FusedMaps
  let output: LinearMap
  let queryNorm: RMSNorm
  let keyNorm: RMSNorm
  let textKeyNorm: RMSNorm
  let heads: Int

  init(_ scope: Scope, _ config: TextDiTConfig) {
    let width = config.width
    func fused(_ names: [String]) -> FusedMaps {
      FusedMaps(
        names.map {
          scope.linear(
            $0, width, width, initial: .xavier(width, names.count * width), from: .embed,
            to: .heads)
        })
    }
    maps = fused(["to_q", "to_k", "to_v"])
    textMaps = fused(["add_k_proj", "add_v_proj"])
    output = scope.linear("to_out", width, width, from: .heads, to: .embed)
    queryNorm = RMSNorm(scope / "norm_q", config.headWidth)
    keyNorm = RMSNorm(scope / "norm_k", config.headWidth)
    textKeyNorm = RMSNorm(scope / "norm_added_k", config.headWidth)
    heads = config.heads
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ context: TextDiTBlock.Context) -> Tensor {
    func parts(_ maps: FusedMaps, _ tokens: Tensor) -> [Tensor] {
      let packed = maps(tokens)
      return
        packed.reshape([tokens.shape[0], tokens.shape[1], packed.shape[2], heads, -1])
        .sharded(.batch, nil, nil, .heads).unstack(2)
    }
    let (image, text) = (parts(maps, x), parts(textMaps, context.text))
    let keys = Tensor.concatenate(
      [context.rotary(keyNorm(image[1])), textKeyNorm(text[0])], axis: 1)
    let values = Tensor.concatenate([image[2], text[1]], axis: 1)
    let mixed = context.rotary(queryNorm(image[0]))
      .attention(keys: keys, values: values, context.attention)
    return output(mixed.reshape(x.shape))
  }
}
