import Layers
import Tensors

/// One layer of a causal language model such as Llama or Qwen: attention, then a gated MLP, each on
/// normalized tokens.
struct DecoderLayer {
  let attentionNorm: RMSNorm
  let attention: GroupedAttention
  let mlpNorm: RMSNorm
  let mlp: GatedMLP

  /// Makes a layer.
  ///
  /// - Parameters:
  ///   - hidden: the features inside the MLP.
  ///   - epsilon: that of the norms.
  ///   - attention: makes its attention in a scope.
  init(
    _ scope: Scope, width: Int, hidden: Int, epsilon: Double, activation: Activation,
    attention: (Scope) -> GroupedAttention
  ) {
    attentionNorm = RMSNorm(scope / "input_layernorm", width, epsilon: epsilon)
    self.attention = attention(scope / "self_attn")
    mlpNorm = RMSNorm(scope / "post_attention_layernorm", width, epsilon: epsilon)
    mlp = GatedMLP(scope / "mlp", width, hidden: hidden, activation: activation)
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ options: AttentionOptions, _ rotary: Rotary) -> Tensor {
    self(x, options, rotary, after: nil).output
  }

  /// `[batch, tokens, width]` to the same shape, and the keys and values of these tokens, see
  /// `GroupedAttention`.
  func callAsFunction(
    _ x: Tensor, _ options: AttentionOptions, _ rotary: Rotary,
    after earlier: GroupedAttention.KeyValues?
  ) -> (output: Tensor, own: GroupedAttention.KeyValues) {
    let (mixed, own) = attention(attentionNorm(x), options, rotary: rotary, after: earlier)
    let h = x + mixed
    return (h + mlp(mlpNorm(h)), own)
  }
}
