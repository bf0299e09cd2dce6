import Layers
import Recipe
import Weights

/// The sizes of Qwen2.5-VL, in the form of transformers' `config.json`.
public struct Qwen2_5VLConfig: DecoderConfig, VisionLanguageConfig {
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
  /// The activation of the MLP.
  public var activation: Activation
  /// The ε of the norms.
  public var epsilon: Double
  /// The base of the rotary frequencies.
  public var theta: Double
  /// The pairs of a head's features that are turned by the time, the row and the column of a token.
  public var sections: [Int]
  /// The kind of each layer's attention.
  public var layers: [AttentionLayer]
  /// The window of sliding layers, nil for none.
  public var window: Int?
  /// The token that stands for a merged patch of an image.
  public var imageToken: Int
  /// Whether the map to logits is the embedding of the tokens.
  public var isTied: Bool
  /// The vision tower, nil where the file describes only the language model.
  public var vision: Qwen2_5VLVisionConfig?
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
    case activation = "hidden_act"
    case epsilon = "rms_norm_eps"
    case rotary = "rope_parameters"
    case layers = "layer_types"
    case window = "sliding_window"
    case usesWindow = "use_sliding_window"
    case firstWindow = "max_window_layers"
    case kind = "model_type"
    case execution
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// The language model's are under `text_config`, or beside `vision_config` as older versions of
  /// transformers write them. Where they are in both places, `text_config` counts, as it does there.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let all = try decoder.container(keyedBy: CodingKeys.self)
    try all.expect(.kind, "qwen2_5_vl", "qwen2_5_vl_text")
    let isNested = try all.contains(.text) && !all.decodeNil(forKey: .text)
    let inner = isNested ? try all.superDecoder(forKey: .text) : decoder
    let keys = try inner.container(keyedBy: CodingKeys.self)
    try keys.expect(.kind, "qwen2_5_vl_text", "qwen2_5_vl")
    vocabulary = try keys.value(.vocabulary, default: 152_064, in: SizeLimit.classes)
    width = try keys.value(.width, default: 8192, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 29_568, in: SizeLimit.features)
    depth = try keys.value(.depth, default: 80, in: SizeLimit.layers)
    let count = try keys.value(.heads, default: 64, in: SizeLimit.features)
    guard width % (2 * count) == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, count, "it must divide half of `hidden_size`, \(width)")
    }
    heads = try keys.heads(
      .heads, keys: .keyHeads, width: .headWidth,
      default: .init(64, keys: 8, width: width / count))
    guard heads.width == width / count else {
      throw InvalidRecipeValue(
        CodingKeys.headWidth, heads.width,
        "only \(width / count), `hidden_size` over the heads, is supported")
    }
    activation = try keys.choice(.activation, default: .silu)
    epsilon = try keys.value(.epsilon, default: 1e-5, in: 0...1)
    let rotary = try RotaryTheta(from: inner, default: 1e6, kinds: ["default", "mrope"])
    theta = rotary.value
    sections = try rotary.sections(
      default: [16, 24, 24], pairs: heads.width / 2, CodingKeys.rotary)
    let usesWindow = try keys.value(.usesWindow, default: false)
    window = usesWindow ? try keys.window(.window, default: 4096) : nil
    let (first, window) = (try keys.value(.firstWindow, default: 80), window)
    layers = try keys.attentionLayers(.layers, depth: depth, window: window) {
      window != nil && $0 >= first ? .sliding : .full
    }
    imageToken = try all.value(.imageToken, default: 151_655, in: SizeLimit.classes)
    isTied = try all.value(.isTied, default: false) || keys.value(.isTied, default: false)
    vision = try all.decodeIfPresent(Qwen2_5VLVisionConfig.self, forKey: .vision)
    execution = try all.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var all = encoder.container(keyedBy: CodingKeys.self)
    try all.encode("qwen2_5_vl", forKey: .kind)
    try all.encode(imageToken, forKey: .imageToken)
    try all.encode(isTied, forKey: .isTied)
    try all.encodeIfPresent(vision, forKey: .vision)
    try all.encode(execution, .execution, depth: depth)
    var keys = all.nestedContainer(keyedBy: CodingKeys.self, forKey: .text)
    try keys.encode("qwen2_5_vl_text", forKey: .kind)
    try keys.encode(vocabulary, forKey: .vocabulary)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads.queries, forKey: .heads)
    try keys.encode(heads.keys, forKey: .keyHeads)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(RotaryTheta.Written(theta: theta, sections: sections), forKey: .rotary)
    try keys.encode(window != nil, forKey: .usesWindow)
    try keys.encode(window, forKey: .window)
    try keys.encode(layers, forKey: .layers)
  }
}

extension Qwen2_5VLConfig {
  /// Saved as published, as transformers 5 names its modules, as language models of other classes do,
  /// without the map to logits, and alone.
  public var layouts: [NameMap] {
    NameMap.aloneAndInLanguageModel.suffix(1) + NameMap.inMultimodalModel
      + NameMap.aloneAndInLanguageModel.prefix(1)
  }

  /// The vision tower and the map to logits are ignored.
  public func ignores(_ array: String) -> Bool { NameMap.isOutsideOfDecoder(array) }
}

extension Qwen2_5VLConfig {
  /// Its `model_type`.
  public static let modelType = "qwen2_5_vl"
  /// That of its chat template.
  public static let systemMessage: String? = "You are a helpful assistant."

  /// Of all sizes.
  public var title: String { "Qwen2.5-VL" }
  /// The vision tower.
  public var tower: (any VisionTowerConfig)? { vision }

  /// Binds the language model.
  public func model(_ scope: Scope) -> any VisionLanguageModel { Qwen2_5VL(scope, self) }
}
