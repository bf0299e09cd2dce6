import Layers
import Tensors

/// A bidirectional encoder of texts: Devlin and others, "BERT: Pre-training of deep bidirectional
/// transformers for language understanding", 2019.
///
/// A transformer with learned positions whose norms follow the residuals; `BertModel` of transformers,
/// without its pooler. all-MiniLM-L6-v2 is of this kind.
public struct Bert: TextEncoder {
  let config: BertConfig
  let embedding: Embedding
  let positions: Tensor
  let tokenTypes: Tensor
  let norm: LayerNorm
  let layers: Stack<BertLayer>

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: BertConfig) {
    self.config = config
    let (input, width) = (scope / "embeddings", config.width)
    embedding = Embedding(input / "word_embeddings", count: config.vocabulary, width: width)
    positions = (input / "position_embeddings").weight(
      "weight", [config.positions, width], .normal(0.02), axes: [nil, .embed])
    tokenTypes = (input / "token_type_embeddings").weight(
      "weight", [config.tokenTypes, width], .normal(0.02), axes: [nil, .embed])
    norm = LayerNorm(input / "LayerNorm", width, epsilon: config.epsilon)
    layers = Stack(
      scope / "encoder" / "layer", count: config.depth, execution: config.execution
    ) { BertLayer($0, config) }
  }

  /// Encodes tokens, see `TextEncoder`; all of them are of the first type. Hidden state 0 is the
  /// embeddings after their norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    let length = tokens.shape[1]
    precondition(
      length <= config.positions, "\(length) tokens for \(config.positions) positions")
    let options = AttentionOptions(mask: valid.map { .keys($0) } ?? .none)
    let embedded =
      embedding(tokens).cast(to: dtype) + tokenTypes.slice(0, 0..<1).cast(to: dtype)
      + positions.slice(0, 0..<length).cast(to: dtype)
    let (last, states) = layers.states(norm(embedded), hidden) { layer, x, _ in
      layer(x, options).sharded(.batch)
    }
    return TextEncoding(last: last, hidden: states)
  }
}

/// One layer: attention and an MLP, with a norm after each sum with what went in.
struct BertLayer {
  let attention: GroupedAttention
  let attentionNorm: LayerNorm
  let mlp: MLP
  let mlpNorm: LayerNorm

  init(_ scope: Scope, _ config: BertConfig) {
    let (width, hidden, activation) = (config.width, config.hidden, config.activation)
    attention = GroupedAttention(
      scope / "attention", width: width,
      heads: .init(config.heads, width: width / config.heads),
      names: .init(
        queries: "self.query", keys: "self.key", values: "self.value", output: "output.dense"),
      bias: true)
    attentionNorm = LayerNorm(
      scope / "attention" / "output" / "LayerNorm", width, epsilon: config.epsilon)
    mlp = MLP(
      (scope / "intermediate").linear("dense", width, hidden, from: .embed, to: .hidden),
      (scope / "output").linear("dense", hidden, width, from: .hidden, to: .embed)
    ) { activation($0) }
    mlpNorm = LayerNorm(scope / "output" / "LayerNorm", width, epsilon: config.epsilon)
  }

  /// `[batch, tokens, width]` to the same shape.
  func callAsFunction(_ x: Tensor, _ options: AttentionOptions) -> Tensor {
    let h = attentionNorm(x + attention(x, options))
    return mlpNorm(h + mlp(h))
  }
}
