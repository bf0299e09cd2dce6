import Layers
import Tensors

/// One layer of CLIP's text encoder, of OpenUni's connector and the like: attention, then an MLP, each on
/// normalized tokens, with biases everywhere.
struct EncoderLayer {
  let attentionNorm: LayerNorm
  let attention: GroupedAttention
  let mlpNorm: LayerNorm
  let mlp: MLP

  /// Makes a layer.
  ///
  /// - Parameters:
  ///   - hidden: the features inside the MLP.
  ///   - heads: a divisor of the width.
  ///   - epsilon: that of the norms.
  init(
    _ scope: Scope, width: Int, hidden: Int, heads: Int, epsilon: Double, activation: Activation
  ) {
    attentionNorm = LayerNorm(scope / "layer_norm1", width, epsilon: epsilon)
    attention = GroupedAttention(
      scope / "self_attn", width: width, heads: .init(heads, width: width / heads),
      names: .init(queries: "q_proj", keys: "k_proj", values: "v_proj", output: "out_proj"),
      bias: true)
    mlpNorm = LayerNorm(scope / "layer_norm2", width, epsilon: epsilon)
    let inner = scope / "mlp"
    mlp = MLP(
      inner.linear("fc1", width, hidden, from: .embed, to: .hidden),
      inner.linear("fc2", hidden, width, from: .hidden, to: .embed)
    ) { activation($0) }
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ options: AttentionOptions = AttentionOptions()) -> Tensor {
    let h = x + attention(attentionNorm(x), options)
    return h + mlp(mlpNorm(h))
  }
}
