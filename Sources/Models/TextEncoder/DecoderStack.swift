import Layers
import Tensors

/// The `config.json` of a causal language model such as Llama or Qwen.
protocol DecoderConfig: LanguageModelConfig {
  /// The features inside a layer's MLP.
  var hidden: Int { get }
  /// The activation of the MLP.
  var activation: Activation { get }
  /// The ε of the norms.
  var epsilon: Double { get }
  /// How the stack of layers is executed.
  var execution: StackExecution { get }
}

/// The parts of a causal language model such as Llama or Qwen: the embedding of tokens, layers, and a norm.
struct DecoderStack {
  let embedding: Embedding
  let layers: Stack<DecoderLayer>
  let norm: RMSNorm

  /// Binds the weights.
  ///
  /// - Parameter attention: makes a layer's attention in a scope.
  init(
    _ scope: Scope, _ config: some DecoderConfig,
    attention: @escaping (Scope) -> GroupedAttention
  ) {
    embedding = Embedding(
      scope / "embed_tokens", count: config.vocabulary, width: config.width)
    layers = Stack(scope / "layers", count: config.depth, execution: config.execution) {
      DecoderLayer(
        $0, width: config.width, hidden: config.hidden, epsilon: config.epsilon,
        activation: config.activation, attention: attention)
    }
    norm = RMSNorm(scope / "norm", config.width, epsilon: config.epsilon)
  }

  /// Runs the layers on embedded tokens, with causal attention, see `LanguageModelConfig.encoding`.
  ///
  /// - Parameter valid: bools `[batch, tokens]`, false for padding; nil for no padding.
  func encoding(
    of x: Tensor, _ config: some DecoderConfig, valid: Tensor?, angles: Tensor? = nil,
    hidden: [Int] = []
  ) -> TextEncoding {
    config.encoding(
      of: x, angles: angles, layers, hidden: hidden, AttentionOptions(mask: .causal(valid)),
      norm: { norm($0) }
    ) { layer, x, options, rotary in layer(x, options, rotary) }
  }
}
