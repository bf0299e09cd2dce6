import Layers
import Recipe
import Weights

/// The sizes of a dense Qwen3-VL, in the form of transformers' `config.json`.
public struct Qwen3VLConfig: DecoderConfig, VisionLanguageConfig {
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
  /// The activation of the MLP.
  public var activation: Activation
  /// The ε of the norms.
  public var epsilon: Double
  /// The base of the rotary frequencies.
  public var theta: Double
  /// The pairs of a head's features that are turned by the time, the row and the column of a token.
  public var sections: [Int]
  /// The token that stands for a merged patch of an image.
  public var imageToken: Int
  /// Whether the map to logits is the embedding of the tokens.
  public var isTied: Bool
  /// The vision tower, nil where the file describes only the language model.
  public var vision: Qwen3VLVisionConfig?
  /// How the stack of layers is executed.
  public var execution: StackExecution

  enum CodingKeys: String, CodingKey {
    case text = "text_config"
    case vision = "vision_config"
    case imageToken = "image_token_id"
    case isTied = "tie_word_embeddings"
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
    case rotary = "rope_parameters"
    case kind = "model_type"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let all = try decoder.container(keyedBy: CodingKeys.self)
    try all.expect(.kind, "qwen3_vl", "qwen3_vl_text")
    let isNested = try all.contains(.text) && !all.decodeNil(forKey: .text)
    let inner = isNested ? try all.superDecoder(forKey: .text) : decoder
    let keys = try inner.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "qwen3_vl_text", "qwen3_vl")
    vocabulary = try keys.value(.vocabulary, default: 151_936, in: SizeLimit.classes)
    width = try keys.value(.width, default: 4096, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 22_016, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 32, in: SizeLimit.layers)
    heads = try keys.heads(
      .heads, keys: .keyHeads, width: .headWidth, default: .init(32, keys: 32, width: 128))
    attentionBias = try keys.value(.attentionBias, default: false)
    activation = try keys.choice(.activation, default: .silu)
    epsilon = try keys.value(.epsilon, default: 1e-6, in: 0...1)
    let rotary = try RotaryTheta(from: inner, default: 5e5, kinds: ["default", "mrope"])
    theta = rotary.value
    sections = try rotary.sections(
      default: [24, 20, 20], pairs: heads.width / 2, CodingKeys.rotary)
    imageToken = try all.value(.imageToken, default: 151_655, in: SizeLimit.classes)
    isTied = try all.value(.isTied, default: false) || keys.value(.isTied, default: false)
    vision = try all.decodeIfPresent(Qwen3VLVisionConfig.self, forKey: .vision)
    execution = try all.execution(.execution, depth: depth)
    guard vision?.deepLayers.count ?? 0 <= depth else {
      throw InvalidRecipeValue(
        CodingKeys.depth, depth,
        "features of \(vision!.deepLayers.count) layers of the vision tower are added after as many "
          + "layers")
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var all = encoder.container(keyedBy: CodingKeys.self)
    try all.encode(Self.modelType, forKey: .kind)
    try all.encode(imageToken, forKey: .imageToken)
    try all.encode(isTied, forKey: .isTied)
    try all.encodeIfPresent(vision, forKey: .vision)
    try all.encode(execution, .execution, depth: depth)
    var keys = all.nestedContainer(keyedBy: CodingKeys.self, forKey: .text)
    try keys.encode("qwen3_vl_text", forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, .heads, keys: .keyHeads, width: .headWidth)
    try keys.encode(attentionBias, forKey: .attentionBias)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(RotaryTheta.Written(theta: theta, sections: sections), forKey: .rotary)
  }
}

extension Qwen3VLConfig {
  /// Its `model_type`.
  public static let modelType = "qwen3_vl"
  /// Its chat template adds none.
  public static let systemMessage: String? = nil

  /// With the size where it is that of 8B.
  public var title: String { isOf8B ? "Qwen3-VL-8B" : "Qwen3-VL" }
  /// Attention to the whole sequence in every layer.
  public var layers: [AttentionLayer] { [AttentionLayer](repeating: .full, count: depth) }
  /// None.
  public var window: Int? { nil }
  /// The vision tower.
  public var tower: (any VisionTowerConfig)? { vision }

  /// Saved as published, as other versions of transformers name its modules, and alone.
  public var layouts: [NameMap] {
    NameMap.inMultimodalModel + NameMap.aloneAndInLanguageModel.reversed()
  }

  /// The vision tower and the map to logits are ignored.
  public func ignores(_ array: String) -> Bool { NameMap.isOutsideOfDecoder(array) }

  /// Binds the language model.
  public func model(_ scope: Scope) -> any VisionLanguageModel { Qwen3VL(scope, self) }

  /// Whether the sizes are those of Qwen3-VL-8B-Instruct, the published judge of GenEval 2.
  public var isOf8B: Bool {
    guard let vision else { return false }
    return (vocabulary, width, hidden, depth) == (151_936, 4096, 12_288, 36)
      && heads == .init(32, keys: 8, width: 128) && theta == 5e6 && sections == [24, 20, 20]
      && (vision.width, vision.hidden, vision.depth, vision.heads) == (1152, 4304, 27, 16)
      && (vision.patch, vision.frames, vision.merge, vision.positions) == (16, 2, 2, 2304)
      && vision.deepLayers == [8, 16, 24]
  }
}
