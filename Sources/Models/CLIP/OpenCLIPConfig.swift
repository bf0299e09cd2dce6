import Layers
import Recipe

/// The `open_clip_config.json` that open_clip publishes beside the weights of a CLIP.
public struct OpenCLIPConfig: Decodable, Hashable, Sendable {
  /// The network's sizes.
  public let model: CLIPConfig
  /// The preprocessing of images.
  public let images: Images

  /// The preprocessing of images, `preprocess_cfg`.
  public struct Images: Decodable, Hashable, Sendable {
    /// The mean of each channel.
    public let mean: [Double]
    /// The standard deviation of each channel.
    public let deviation: [Double]
    /// The name of the filter.
    public let interpolation: String
    /// Whether the shorter side is brought to the size, and not each side.
    public let keepsRatio: Bool

    enum CodingKeys: String, CodingKey {
      case mean
      case deviation = "std"
      case interpolation
      case mode = "resize_mode"
    }

    /// open_clip's settings.
    init() {
      mean = Self.mean
      deviation = Self.deviation
      (interpolation, keepsRatio) = ("bicubic", true)
    }

    private static let mean = [0.48145466, 0.4578275, 0.40821073]
    private static let deviation = [0.26862954, 0.26130258, 0.27577711]

    /// Reads the settings; those that are absent are open_clip's.
    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      mean = try keys.value(
        .mean, default: Self.mean, where: { $0.count == 3 },
        "three numbers were expected")
      deviation = try keys.value(
        .deviation, default: Self.deviation,
        where: { $0.count == 3 && $0.allSatisfy { $0 > 0 } }, "three numbers above 0 were expected")
      interpolation = try keys.value(
        .interpolation, default: "bicubic", where: { ["bicubic", "bilinear"].contains($0) },
        "only bicubic and bilinear are supported")
      let mode = try keys.value(
        .mode, default: "shortest", where: { ["shortest", "squash"].contains($0) },
        "only shortest and squash are supported")
      keepsRatio = mode == "shortest"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case model = "model_cfg"
    case images = "preprocess_cfg"
  }

  private enum ModelKeys: String, CodingKey {
    case projection = "embed_dim"
    case vision = "vision_cfg"
    case text = "text_cfg"
    case quickGELU = "quick_gelu"
    case kind = "multimodal_cfg"
  }

  /// Reads the file's content.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let all = try decoder.container(keyedBy: CodingKeys.self)
    let keys = try all.nestedContainer(keyedBy: ModelKeys.self, forKey: .model)
    guard !keys.contains(.kind) else {
      throw InvalidRecipeValue(ModelKeys.kind, "there", "only plain CLIPs are supported")
    }
    let activation: Activation =
      try keys.value(.quickGELU, default: false) ? .quickGELU : .gelu
    let projection = try keys.value(.projection, in: SizeLimit.features)
    var vision = try keys.decode(VisionSizes.self, forKey: .vision).config
    var text = try keys.decode(TextSizes.self, forKey: .text).config
    (vision.activation, text.activation) = (activation, activation)
    text.projection = projection
    model = CLIPConfig(text: text, vision: vision, projection: projection, layout: .openCLIP)
    images = try all.decodeIfPresent(Images.self, forKey: .images) ?? Images()
  }
}

/// `vision_cfg`.
private struct VisionSizes: Decodable {
  let config: CLIPVisionConfig

  private enum CodingKeys: String, CodingKey {
    case size = "image_size"
    case depth = "layers"
    case width
    case headWidth = "head_width"
    case ratio = "mlp_ratio"
    case patch = "patch_size"
    case timm = "timm_model_name"
    case noFirstNorm = "no_ln_pre"
    case pool = "pool_type"
    case attentional = "attentional_pool"
    case average = "global_average_pool"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if let name = try keys.decodeIfPresent(String.self, forKey: .timm) {
      throw InvalidRecipeValue(
        CodingKeys.timm, name, "only open_clip's own vision transformer is supported")
    }
    for key in [CodingKeys.noFirstNorm, .attentional, .average] { try keys.expect(key, false) }
    try keys.expect(.pool, "tok")
    if (try? keys.decode(Int.self, forKey: .depth)) == nil, keys.contains(.depth) {
      throw InvalidRecipeValue(
        CodingKeys.depth, "several numbers", "only vision transformers are supported, no ResNets")
    }
    var config = CLIPVisionConfig()
    config.size = try keys.value(.size, default: 224, in: SizeLimit.pixels)
    config.depth = try keys.value(.depth, default: 12, in: SizeLimit.layers)
    config.width = try keys.value(.width, default: 768, in: SizeLimit.features)
    config.patch = try keys.value(.patch, default: 16, in: SizeLimit.patch)
    let headWidth = try keys.value(.headWidth, default: 64, in: SizeLimit.features)
    guard config.width % headWidth == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.headWidth, headWidth, "it must divide `width`, \(config.width)")
    }
    config.heads = config.width / headWidth
    config.hidden = Int(
      Double(config.width) * (try keys.value(.ratio, default: 4, in: 0.01...1000)))
    config.execution = .standard(depth: config.depth)
    self.config = config
  }
}

/// `text_cfg`.
private struct TextSizes: Decodable {
  let config: CLIPTextConfig

  private enum CodingKeys: String, CodingKey {
    case positions = "context_length"
    case vocabulary = "vocab_size"
    case width, heads
    case depth = "layers"
    case ratio = "mlp_ratio"
    case published = "hf_model_name"
    case embedsClass = "embed_cls"
    case notCausal = "no_causal_mask"
    case pool = "pool_type"
    case projection = "proj_type"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if let name = try keys.decodeIfPresent(String.self, forKey: .published) {
      throw InvalidRecipeValue(
        CodingKeys.published, name, "only open_clip's own encoder of texts is supported")
    }
    for key in [CodingKeys.embedsClass, .notCausal] { try keys.expect(key, false) }
    try keys.expect(.pool, "argmax")
    try keys.expect(.projection, "linear")
    let width = try keys.value(.width, default: 512, in: SizeLimit.features)
    let heads = try keys.value(.heads, default: 8, in: SizeLimit.features)
    guard width % heads == 0 else {
      throw InvalidRecipeValue(CodingKeys.heads, heads, "it must divide `width`, \(width)")
    }
    config = CLIPTextConfig(
      vocabulary: try keys.value(.vocabulary, default: 49_408, in: SizeLimit.classes),
      width: width,
      hidden: Int(Double(width) * (try keys.value(.ratio, default: 4, in: 0.01...1000))),
      depth: try keys.value(.depth, default: 12, in: SizeLimit.layers), heads: heads,
      positions: try keys.value(.positions, default: 77, in: SizeLimit.features))
  }
}
