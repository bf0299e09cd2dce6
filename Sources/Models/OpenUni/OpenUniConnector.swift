import Layers
import Tensors

/// What OpenUni has between its language model and SANA: Wu and others, "OpenUni: a simple baseline for
/// unified multimodal understanding and generation", 2025.
///
/// Learned queries follow a prompt's tokens in the language model. Their last hidden states pass an encoder
/// with attention in both directions and without positions, and a map to the features that SANA takes as
/// text; `ConnectorEncoder` of the published code with its `meta_queries` and `projector`.
public struct OpenUniConnector {
  /// The embeddings of the queries, `[queries, width]`.
  public let queries: Tensor
  let layers: Stack<EncoderLayer>
  let projector: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: OpenUniConnectorConfig) {
    let width = config.width
    queries = scope.weight(
      "meta_queries", [config.queries, width], .normal(1 / Double(width).squareRoot()),
      axes: [nil, .embed])
    layers = Stack(
      scope / "connector" / "layers", count: config.depth, execution: config.execution
    ) {
      EncoderLayer(
        $0, width: width, hidden: config.hidden, heads: config.heads, epsilon: config.epsilon,
        activation: config.activation)
    }
    projector = scope.linear("projector", width, config.outputWidth, from: .embed)
  }

  /// The last hidden states at the queries `[batch, queries, width]` to the features of a text
  /// `[batch, queries, output width]`.
  public func callAsFunction(_ states: Tensor) -> Tensor {
    projector(layers(states) { $0($1, AttentionOptions()).sharded(.batch) })
  }
}
