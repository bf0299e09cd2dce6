import Layers
import Recipe
import Weights

/// The sizes of a Qwen language model, in the form of transformers' `config.json`.
public struct QwenConfig<Generation: QwenGeneration>: DecoderConfig {
  /// The number of token ids.
  public var vocabulary: Int
  /// The features of a token.
  public var width: Int
  /// The features inside a layer's MLP.
  public var hidden: Int
  /// The number of layers.
  public var depth: Int
  /// The heads of attention.
  public var heads: GroupedAttention.Heads
  /// Whether the maps of attention to queries, keys and values have biases.
  public var attentionBias: Bool
  /// The activation of the MLP.
  public var activation: Activation
  /// The ε of the norms.
  public var epsilon: Double
  /// The base of the rotary frequencies.
  public var theta: Double
  /// The kind of each layer's attention.
  public var layers: [AttentionLayer]
  /// The window of sliding layers, nil for none.
  public var window: Int?
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case depth = "num_hidden_layers"
    case heads = "num_attention_heads"
    case keyHeads = "num_key_value_heads"
    case headWidth = "head_dim"
    case attentionBias = "attention_bias"
    case activation = "hidden_act"
    case epsilon = "rms_norm_eps"
    case theta = "rope_theta"
    case layers = "layer_types"
    case window = "sliding_window"
    case usesWindow = "use_sliding_window"
    case firstWindow = "max_window_layers"
    case kind = "model_type"
    case remote = "llm_config"
    case text = "text_config"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// In the `config.json` of InternVL's models those of the language model are under a key of their own.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let all = try decoder.container(keyedBy: CodingKeys.self)
    try all.expect(.kind, among: Generation.types)
    let places: [CodingKeys] = Generation.isNested ? [.remote, .text] : []
    let place = try places.first { try all.contains($0) && !all.decodeNil(forKey: $0) }
    let inner = try place.map { try all.superDecoder(forKey: $0) } ?? decoder
    let keys = try inner.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, Generation.types[0])
    vocabulary = try keys.value(.vocabulary, default: 151_936, in: SizeLimit.classes)
    width = try keys.value(.width, default: 4096, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 22_016, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 32, in: SizeLimit.layers)
    let count = try keys.value(.heads, default: 32, in: SizeLimit.features)
    guard Generation.headWidth != nil || width % (2 * count) == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, count, "it must divide half of `hidden_size`, \(width)")
    }
    heads = try keys.heads(
      .heads, keys: .keyHeads, width: .headWidth,
      default: .init(32, keys: 32, width: Generation.headWidth ?? width / count))
    attentionBias = try Generation.hasBiases ?? keys.value(.attentionBias, default: false)
    activation = try keys.choice(.activation, default: .silu)
    epsilon = try keys.value(.epsilon, default: 1e-6, in: 0...1)
    theta = try RotaryTheta(from: inner, kinds: Generation.rotaryKinds).value
    let usesWindow = try keys.value(.usesWindow, default: false)
    window = usesWindow ? try keys.window(.window, default: 4096) : nil
    let (first, window) = (try keys.value(.firstWindow, default: 28), window)
    layers = try keys.attentionLayers(.layers, depth: depth, window: window) {
      window != nil && $0 >= first ? .sliding : .full
    }
    execution = try all.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Generation.types[0], forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, .heads, keys: .keyHeads, width: .headWidth)
    if Generation.hasBiases == nil { try keys.encode(attentionBias, forKey: .attentionBias) }
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(theta, forKey: .theta)
    try keys.encode(window != nil, forKey: .usesWindow)
    try keys.encode(window, forKey: .window)
    try keys.encode(layers, forKey: .layers)
    try keys.encode(execution, .execution, depth: depth)
  }
}

extension QwenConfig {
  /// Saved alone, within a language model, and as language models of InternVL's classes.
  public var layouts: [NameMap] {
    NameMap.aloneAndInLanguageModel + (Generation.isNested ? NameMap.inMultimodalModel : [])
  }

  /// The map to logits and, in files of InternVL's, what embeds images are ignored.
  public func ignores(_ array: String) -> Bool {
    if NameMap.isOfLanguageModel(array) { return true }
    let others = [
      "vision_model.", "mlp1.", "vision_tower.", "multi_modal_projector.", "model.vision_tower.",
      "model.multi_modal_projector.",
    ]
    return Generation.isNested
      && (array.hasSuffix("lm_head.weight") || others.contains(where: array.hasPrefix))
  }
}

/// The sizes of a Qwen2 or Qwen2.5 language model.
public typealias Qwen2Config = QwenConfig<Qwen2Generation>

/// The sizes of a Qwen3 language model.
public typealias Qwen3Config = QwenConfig<Qwen3Generation>
