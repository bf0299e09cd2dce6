import Layers
import Recipe
import Weights

/// The sizes of CLIP, in the form of transformers' `config.json` of a `CLIPModel`; `OpenCLIPConfig` reads
/// those of open_clip.
public struct CLIPConfig: Decodable, Hashable, Sendable {
  /// How a checkpoint names and lays out the parameters.
  public enum Layout: Hashable, Sendable {
    /// As transformers' `CLIPModel`.
    case transformers
    /// As OpenAI's and open_clip's `CLIP`: one map to queries, keys and values, and transposed
    /// projections.
    case openCLIP
  }

  /// The encoder of texts, without its projection.
  public var text: CLIPTextConfig
  /// The encoder of images.
  public var vision: CLIPVisionConfig
  /// The features of the common space.
  public var projection: Int
  /// How the checkpoint is laid out.
  public var layout: Layout

  enum CodingKeys: String, CodingKey {
    case vision = "vision_config"
    case text = "text_config"
    case projection = "projection_dim"
    case kind = "model_type"
  }

  init(
    text: CLIPTextConfig, vision: CLIPVisionConfig, projection: Int, layout: Layout
  ) {
    (self.text, self.vision) = (text, vision)
    (self.projection, self.layout) = (projection, layout)
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported, and for a config
  ///   without the encoder of images.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if try keys.decodeIfPresent(String.self, forKey: .kind) == "clip_text_model" {
      throw InvalidRecipeValue(
        CodingKeys.kind, "clip_text_model",
        "comparing images with texts needs the whole of a `clip`, with its encoder of images")
    }
    try keys.expect(.kind, "clip")
    text = try CLIPTextConfig(from: decoder)
    text.hasProjection = false
    vision =
      try keys.decodeIfPresent(CLIPVisionConfig.self, forKey: .vision) ?? CLIPVisionConfig()
    projection = try keys.value(.projection, default: 512, in: SizeLimit.features)
    layout = .transformers
  }
}

extension CLIPConfig {
  /// What the parameters are called in a checkpoint with these arrays.
  public func names(in arrays: [String]) -> NameMap {
    guard layout == .openCLIP else { return NameMap() }
    // Encoders of texts that open_clip builds as modules of their own are under `text`.
    return Self.openCLIPNames(text: arrays.contains("text.positional_embedding") ? "text." : "")
  }

  /// Whether an array of a checkpoint belongs to no parameter: tables that old versions have saved, and
  /// the sizes in OpenAI's files.
  public func ignores(_ array: String) -> Bool {
    array.hasSuffix("embeddings.position_ids") || array.hasSuffix("attn_mask")
      || ["input_resolution", "context_length", "vocab_size"].contains(array)
  }

  private static func openCLIPNames(text prefix: String) -> NameMap {
    func layers(_ memory: String, _ disk: String) -> [NameMap.Rule] {
      let (memory, disk) = ("\(memory).encoder.layers.*", "\(disk)transformer.resblocks.*")
      let fused = ["weight", "bias"].map { part in
        NameMap.Rule.split(
          disk: "\(disk).attn.in_proj_\(part)",
          ["q", "k", "v"].map { "\(memory).self_attn.\($0)_proj.\(part)" })
      }
      let renamed = [
        ("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
        ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
      ].map { NameMap.Rule.rename("\(memory).\($0)", to: "\(disk).\($1)") }
      return fused + renamed
    }
    let single = [
      ("text_model.embeddings.token_embedding", "\(prefix)token_embedding"),
      ("text_model.embeddings.position_embedding.weight", "\(prefix)positional_embedding"),
      ("text_model.final_layer_norm", "\(prefix)ln_final"),
      ("text_projection", "\(prefix)text_projection"),
      ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
      ("vision_model.embeddings.patch_embedding", "visual.conv1"),
      ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
      ("vision_model.pre_layrnorm", "visual.ln_pre"),
      ("vision_model.post_layernorm", "visual.ln_post"),
      ("visual_projection", "visual.proj"),
    ].map { NameMap.Rule.rename($0, to: $1) }
    return NameMap(
      layers("text_model", prefix) + layers("vision_model", "visual.") + single)
  }
}
