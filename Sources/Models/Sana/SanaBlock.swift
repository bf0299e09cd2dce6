import Layers
import Tensors

/// One block: linear attention among the image's tokens, attention to the text, and a Mix-FFN.
struct SanaBlock {
  /// What all blocks share.
  struct Context {
    /// The image's size in tokens.
    let grid: TokenGrid
    /// Shift, scale and gate of attention, then those of the Mix-FFN, `[batch, 6, width]`.
    let modulation: Tensor
    /// The embedded text `[batch, text tokens, width]`.
    let text: Tensor
    /// The options of attention to the text.
    let attention: AttentionOptions
  }

  let attentionNorm: LayerNorm
  let attention: SanaAttention
  let textAttention: SanaAttention
  let mlpNorm: LayerNorm
  let mlp: MixFFN
  let modulation: Tensor

  init(_ scope: Scope, _ config: SanaConfig) {
    let width = config.width
    attentionNorm = LayerNorm(
      scope / "norm1", width, affine: false, epsilon: config.normEpsilon)
    attention = SanaAttention(
      scope / "attn1", width, heads: config.heads, headWidth: config.headWidth,
      bias: config.hasAttentionBias, hasNorms: config.hasQueryNorms)
    textAttention = SanaAttention(
      scope / "attn2", width, heads: config.crossHeads, headWidth: config.crossHeadWidth,
      bias: true, hasNorms: config.hasQueryNorms)
    mlpNorm = LayerNorm(
      scope / "norm2", width, affine: config.hasNormWeights, epsilon: config.normEpsilon)
    mlp = MixFFN(scope / "ff", width, hidden: config.hidden)
    modulation = scope.weight(
      "scale_shift_table", [6, width], .normal(1 / Double(width).squareRoot()),
      axes: [nil, .embed])
  }

  /// Tokens `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ context: Context) -> Tensor {
    let m = (modulation.cast(to: x.dtype) + context.modulation).split(6, axis: 1)
    var h = x + m[2] * attention.linear(attentionNorm(x) * (1 + m[1]) + m[0])
    h = h + textAttention(h, to: context.text, context.attention)
    let image = (mlpNorm(h) * (1 + m[4]) + m[3])
      .reshape([x.shape[0], context.grid.height, context.grid.width, x.shape[2]])
    return (h + m[5] * mlp(image).reshape(x.shape)).sharded(.batch)
  }
}

/// Attention among the image's tokens, or of them to the text.
///
/// Norms of queries and keys, where the network has them, are across all heads.
struct SanaAttention {
  let queries: LinearMap
  let keys: LinearMap
  let values: LinearMap
  let output: LinearMap
  let queryNorm: RMSNorm?
  let keyNorm: RMSNorm?
  let heads: Int
  let headWidth: Int

  init(_ scope: Scope, _ width: Int, heads: Int, headWidth: Int, bias: Bool, hasNorms: Bool) {
    let inner = heads * headWidth
    func map(_ name: String) -> LinearMap {
      scope.linear(name, width, inner, bias: bias, from: .embed, to: .heads)
    }
    // The published code has this epsilon whatever that of the other norms is.
    func norm(_ name: String) -> RMSNorm? {
      hasNorms ? RMSNorm(scope / name, inner, epsilon: 1e-5) : nil
    }
    (queries, keys, values) = (map("to_q"), map("to_k"), map("to_v"))
    output = (scope / "to_out").linear("0", inner, width, from: .heads, to: .embed)
    (queryNorm, keyNorm) = (norm("norm_q"), norm("norm_k"))
    (self.heads, self.headWidth) = (heads, headWidth)
  }

  /// Linear attention among tokens `[batch, tokens, width]`.
  func linear(_ x: Tensor) -> Tensor {
    let (q, k, v) = projections(x, x)
    return output(q.linearAttention(keys: k, values: v).reshape([x.shape[0], x.shape[1], -1]))
  }

  /// Softmax attention of tokens `[batch, tokens, width]` to others.
  func callAsFunction(_ x: Tensor, to others: Tensor, _ options: AttentionOptions) -> Tensor {
    let (q, k, v) = projections(x, others)
    return output(
      q.attention(keys: k, values: v, options).reshape([x.shape[0], x.shape[1], -1]))
  }

  /// Queries of `x`, keys and values of others, `[batch, tokens, heads, head width]`.
  private func projections(_ x: Tensor, _ others: Tensor) -> (Tensor, Tensor, Tensor) {
    func split(_ y: Tensor) -> Tensor {
      y.reshape([y.shape[0], y.shape[1], heads, headWidth]).sharded(.batch, nil, .heads)
    }
    let (q, k) = (queries(x), keys(others))
    return (split(queryNorm?(q) ?? q), split(keyNorm?(k) ?? k), split(values(others)))
  }
}
