import Layers
import Recipe
import Weights

/// The sizes of a BERT encoder, in the form of transformers' `config.json`.
public struct BertConfig: TextEncoderConfig {
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
  /// The number of positions.
  public var positions: Int
  /// The number of token types, of which texts have the first one.
  public var tokenTypes: Int
  /// The activation of the MLP.
  public var activation: Activation
  /// The ε of the norms.
  public var epsilon: Double
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case depth = "num_hidden_layers"
    case heads = "num_attention_heads"
    case positions = "max_position_embeddings"
    case tokenTypes = "type_vocab_size"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case kind = "model_type"
    case positionKind = "position_embedding_type"
    case isDecoder = "is_decoder"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "bert")
    try keys.expect(.positionKind, "absolute")
    try keys.expect(.isDecoder, false)
    vocabulary = try keys.value(.vocabulary, default: 30_522, in: SizeLimit.classes)
    width = try keys.value(.width, default: 768, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 3072, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 12, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: 12, in: SizeLimit.features)
    guard width % heads == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads, "it must divide `hidden_size`, \(width)")
    }
    positions = try keys.value(.positions, default: 512, in: SizeLimit.features)
    tokenTypes = try keys.value(.tokenTypes, default: 2, in: SizeLimit.classes)
    activation = try keys.choice(.activation, default: .gelu)
    epsilon = try keys.value(.epsilon, default: 1e-12, in: 0...1)
    execution = try keys.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("bert", forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(positions, forKey: .positions)
    try keys.encode(tokenTypes, forKey: .tokenTypes)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(execution, .execution, depth: depth)
  }
}

extension BertConfig {
  /// The number of positions.
  public var longest: Int? { positions }

  /// Saved alone, and within a model with a head such as `BertForMaskedLM`.
  public var layouts: [NameMap] {
    var within = NameMap()
    within.prefix = "bert."
    return [NameMap(), within]
  }

  /// The embedding of the tokens.
  public static let embedding = "embeddings.word_embeddings.weight"

  /// The pooler and the heads of tasks, which are not part of the encoder, and a table saved by old
  /// versions.
  public func ignores(_ array: String) -> Bool {
    let array = array.hasPrefix("bert.") ? String(array.dropFirst("bert.".count)) : array
    return array == "embeddings.position_ids"
      || ["pooler.", "cls.", "classifier.", "qa_outputs."].contains(where: array.hasPrefix)
  }
}
