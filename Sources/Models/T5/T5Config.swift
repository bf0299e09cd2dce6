import Layers
import Recipe
import Weights

/// The sizes of a T5 encoder, in the form of transformers' `config.json`.
public struct T5Config: TextEncoderConfig {
  /// The number of token ids.
  public var vocabulary: Int
  /// The features of a token.
  public var width: Int
  /// The features inside a layer's MLP.
  public var hidden: Int
  /// The number of layers.
  public var depth: Int
  /// The heads of attention.
  public var heads: Int
  /// The features of a head; all heads together need not have the width of a token.
  public var headWidth: Int
  /// The number of buckets of distances between tokens, half of them for later tokens.
  public var buckets: Int
  /// The distance beyond which all fall into one bucket.
  public var farthest: Int
  /// The activation of the MLP.
  public var activation: Activation
  /// Whether the MLP is gated.
  public var isGated: Bool
  /// The ε of the norms.
  public var epsilon: Double
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case width = "d_model"
    case hidden = "d_ff"
    case depth = "num_layers"
    case heads = "num_heads"
    case headWidth = "d_kv"
    case buckets = "relative_attention_num_buckets"
    case farthest = "relative_attention_max_distance"
    case activation = "dense_act_fn"
    case isGated = "is_gated_act"
    case mlp = "feed_forward_proj"
    case epsilon = "layer_norm_epsilon"
    case isDecoder = "is_decoder"
    case kind = "model_type"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "t5")
    try keys.expect(.isDecoder, false)
    vocabulary = try keys.value(.vocabulary, default: 32_128, in: SizeLimit.classes)
    width = try keys.value(.width, default: 512, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 2048, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 6, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: 8, in: SizeLimit.features)
    headWidth = try keys.value(.headWidth, default: 64, in: SizeLimit.features)
    guard headWidth <= SizeLimit.features.upperBound / heads else {
      throw InvalidRecipeValue(
        CodingKeys.headWidth, headWidth,
        "\(heads) heads have more features than \(SizeLimit.features.upperBound)")
    }
    buckets = try keys.value(.buckets, default: 32, in: 4...SizeLimit.features.upperBound)
    farthest = try keys.value(.farthest, default: 128, in: 1...Int(Int32.max))
    guard farthest > buckets / 4 else {
      throw InvalidRecipeValue(
        CodingKeys.farthest, farthest,
        "it must be more than a quarter of `relative_attention_num_buckets`, \(buckets)")
    }
    let mlp = try keys.value(.mlp, default: "relu")
    var standard: (activation: Activation?, isGated: Bool) = (Activation(rawValue: mlp), false)
    if mlp.hasPrefix("gated-") {
      // The published class uses the tanh approximation here.
      let name = String(mlp.dropFirst("gated-".count))
      standard = (name == "gelu" ? .geluNew : Activation(rawValue: name), true)
    }
    // The derived values are saved too, and have precedence.
    guard let known = keys.contains(.activation) ? .relu : standard.activation else {
      throw InvalidRecipeValue(CodingKeys.mlp, mlp, "its activation is not supported")
    }
    activation = try keys.choice(.activation, default: known)
    isGated = try keys.value(.isGated, default: standard.isGated)
    epsilon = try keys.value(.epsilon, default: 1e-6, in: 0...1)
    execution = try keys.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("t5", forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(headWidth, forKey: .headWidth)
    try keys.encode(buckets, forKey: .buckets)
    try keys.encode(farthest, forKey: .farthest)
    try keys.encode((isGated ? "gated-" : "") + activation.rawValue, forKey: .mlp)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(isGated, forKey: .isGated)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(execution, .execution, depth: depth)
  }
}

extension T5Config {
  /// Any length.
  public var longest: Int? { nil }

  /// As saved by `T5EncoderModel`; some files have the embedding only under the encoder's name.
  public var layouts: [NameMap] {
    [NameMap(), NameMap([.rename("shared", to: "encoder.embed_tokens")])]
  }

  /// The embedding of the tokens.
  public static let embedding = "shared.weight"

  /// The decoder, its map to logits, and a copy of the embedding are ignored.
  public func ignores(_ array: String) -> Bool {
    array.hasPrefix("decoder.") || array == "lm_head.weight"
      || array == "encoder.embed_tokens.weight"
  }
}
