import Layers
import Tensors

/// CLIP's text encoder, two of which Stable Diffusion 3 has: Radford and others, "Learning transferable
/// visual models from natural language supervision", 2021.
///
/// A causal transformer with learned positions; `CLIPTextModel` of transformers, and
/// `CLIPTextModelWithProjection`.
public struct CLIPText: TextEncoder {
  let config: CLIPTextConfig
  let embedding: Embedding
  let positions: Tensor
  let layers: Stack<CLIPLayer>
  let norm: LayerNorm
  let projection: LinearMap?

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: CLIPTextConfig) {
    self.config = config
    let (text, width) = (scope / "text_model", config.width)
    embedding = Embedding(
      text / "embeddings" / "token_embedding", count: config.vocabulary, width: width)
    positions = (text / "embeddings" / "position_embedding").weight(
      "weight", [config.positions, width], .normal(0.02), axes: [nil, .embed])
    layers = Stack(
      text / "encoder" / "layers", count: config.depth, execution: config.execution
    ) {
      CLIPLayer(
        $0, width: width, hidden: config.hidden, heads: config.heads,
        activation: config.activation, epsilon: config.epsilon)
    }
    norm = LayerNorm(text / "final_layer_norm", width, epsilon: config.epsilon)
    projection =
      config.hasProjection
      ? scope.linear("text_projection", width, config.projection, bias: false, from: .embed) : nil
  }

  /// Encodes tokens, see `TextEncoder`; none of the numbered hidden states has passed the final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let (batch, length) = (tokens.shape[0], tokens.shape[1])
    precondition(
      length <= config.positions, "\(length) tokens for \(config.positions) positions")
    let options = AttentionOptions(mask: .causal(valid))
    let embedded =
      embedding(tokens).cast(to: dtype) + positions.slice(0, 0..<length).cast(to: dtype)
    let (state, states) = layers.states(embedded, hidden) { layer, x, _ in
      layer(x, options).sharded(.batch)
    }
    let last = norm(state)
    // The index of each text's end in the concatenated tokens of all texts.
    let ends = endIndices(tokens) + Tensor.iota([batch], .int32) * Double(length)
    let pooled = last.reshape([batch * length, config.width]).take(ends)
    return TextEncoding(
      last: last, hidden: states, pooled: pooled, projected: projection.map { $0(pooled) })
  }

  /// The index of the end of each text, s32 `[batch]`: of its first end token, or 0 where there is
  /// none.
  private func endIndices(_ tokens: Tensor) -> Tensor {
    if config.end == 2 { return tokens.argmax() }
    let end = Tensor.constant(Double(config.end), tokens.dtype)
    return tokens.equal(end).cast(to: .int32).argmax()
  }
}
