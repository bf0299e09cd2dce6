import Layers
import Recipe
import Weights

/// The sizes of CLIP's text encoder, in the form of transformers' `config.json`; the `config.json`
/// of a full CLIP is read too.
public struct CLIPTextConfig: TextEncoderConfig {
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
  /// The features of the projection.
  public var projection: Int
  /// Whether there is a projection, which a config tells only by `architectures`.
  public var hasProjection: Bool
  /// The activation of the MLP.
  public var activation: Activation
  /// The ε of the norms.
  public var epsilon: Double
  /// The id of the end token. The value 2 means the largest id, as in transformers, because configs
  /// were published with this mistake.
  public var end: Int
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case depth = "num_hidden_layers"
    case heads = "num_attention_heads"
    case positions = "max_position_embeddings"
    case projection = "projection_dim"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case end = "eos_token_id"
    case kind = "model_type"
    case classes = "architectures"
    case text = "text_config"
    case execution
  }

  /// The class with a projection.
  private static let projecting = "CLIPTextModelWithProjection"

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let outer = try decoder.container(keyedBy: CodingKeys.self)
    let classes = try outer.decodeIfPresent([String].self, forKey: .classes) ?? []
    let isWhole = try outer.contains(.text) && !outer.decodeNil(forKey: .text)
    let keys = try isWhole ? outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .text) : outer
    try outer.expect(.kind, "clip_text_model", "clip")
    vocabulary = try keys.value(.vocabulary, default: 49_408, in: SizeLimit.classes)
    width = try keys.value(.width, default: 512, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 2048, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 12, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: 8, in: SizeLimit.features)
    guard width % heads == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads, "it must divide `hidden_size`, \(width)")
    }
    positions = try keys.value(.positions, default: 77, in: SizeLimit.features)
    hasProjection = classes.contains(Self.projecting)
    projection = try keys.value(.projection, default: 512, in: SizeLimit.features)
    activation = try keys.choice(.activation, default: .quickGELU)
    epsilon = try keys.value(.epsilon, default: 1e-5, in: 0...1)
    end = try keys.value(.end, default: 49_407, in: 0...Int(Int32.max))
    execution = try outer.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("clip_text_model", forKey: .kind)
    try keys.encode([hasProjection ? Self.projecting : "CLIPTextModel"], forKey: .classes)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(positions, forKey: .positions)
    try keys.encode(projection, forKey: .projection)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(end, forKey: .end)
    try keys.encode(execution, .execution, depth: depth)
  }
}

extension CLIPTextConfig {
  /// Makes the sizes of an encoder without a projection, with the end token and the norms of the published
  /// class.
  init(vocabulary: Int, width: Int, hidden: Int, depth: Int, heads: Int, positions: Int) {
    (self.vocabulary, self.width, self.hidden) = (vocabulary, width, hidden)
    (self.depth, self.heads, self.positions) = (depth, heads, positions)
    (projection, hasProjection) = (width, false)
    (activation, epsilon, end) = (.quickGELU, 1e-5, 2)
    execution = .standard(depth: depth)
  }

  /// The number of positions.
  public var longest: Int? { positions }

  /// Under `text_model`, and without this prefix as transformers 5 saves the class without a
  /// projection.
  public var layouts: [NameMap] {
    let parts = ["embeddings", "encoder", "final_layer_norm"]
    return [NameMap(), NameMap(parts.map { .rename("text_model.\($0)", to: $0) })]
  }

  /// The embedding of the tokens.
  public static let embedding = "text_model.embeddings.token_embedding.weight"

  /// The image encoder of a full CLIP, an unused projection, and a table saved by old versions.
  public func ignores(_ array: String) -> Bool {
    array.hasPrefix("vision_model.") || array == "visual_projection.weight"
      || array == "logit_scale" || array.hasSuffix("embeddings.position_ids")
      || !hasProjection && array == "text_projection.weight"
  }
}
