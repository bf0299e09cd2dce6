import Layers
import Recipe

/// The sizes of a Gemma 2 language model, in the form of transformers' `config.json`.
public struct Gemma2Config: LanguageModelConfig {
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
  /// Whether the maps of attention have biases.
  public var attentionBias: Bool
  /// The attention scale is 1 / √ of this number, often the width of a head.
  public var queryScalar: Double
  /// The soft cap of attention scores, nil for none.
  public var softCap: Double?
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
    case queryScalar = "query_pre_attn_scalar"
    case softCap = "attn_logit_softcapping"
    case activation = "hidden_activation"
    case epsilon = "rms_norm_eps"
    case theta = "rope_theta"
    case layers = "layer_types"
    case window = "sliding_window"
    case isBidirectional = "use_bidirectional_attention"
    case kind = "model_type"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "gemma2")
    try keys.expect(.isBidirectional, false)
    vocabulary = try keys.value(.vocabulary, default: 256_000, in: SizeLimit.classes)
    width = try keys.value(.width, default: 2304, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 9216, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 26, in: SizeLimit.layers)
    heads = try keys.heads(
      .heads, keys: .keyHeads, width: .headWidth, default: .init(8, keys: 4, width: 256))
    attentionBias = try keys.value(.attentionBias, default: false)
    queryScalar = try keys.value(
      .queryScalar, default: 256, where: { $0 > 0 }, "it must be above 0")
    let isUncapped = try keys.contains(.softCap) && keys.decodeNil(forKey: .softCap)
    softCap =
      isUncapped
      ? nil : try keys.value(.softCap, default: 50, where: { $0 > 0 }, "it must be above 0")
    activation = try keys.choice(.activation, default: .geluTanh)
    epsilon = try keys.value(.epsilon, default: 1e-6, in: 0...1)
    theta = try RotaryTheta(from: decoder).value
    window = try keys.window(.window, default: 4096)
    layers = try keys.attentionLayers(.layers, depth: depth, window: window) {
      $0 % 2 == 0 ? .sliding : .full
    }
    execution = try keys.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("gemma2", forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, .heads, keys: .keyHeads, width: .headWidth)
    try keys.encode(attentionBias, forKey: .attentionBias)
    try keys.encode(queryScalar, forKey: .queryScalar)
    try keys.encode(softCap, forKey: .softCap)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(theta, forKey: .theta)
    try keys.encode(layers, forKey: .layers)
    try keys.encode(window, forKey: .window)
    try keys.encode(execution, .execution, depth: depth)
  }
}
