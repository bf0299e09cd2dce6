import Foundation
import Models
import Testing

/// What networks that judge pictures read of their configs.
@Suite struct JudgeConfigTests {
  private func read<Config: Decodable>(
    _: Config.Type = Config.self, _ json: String
  ) throws -> Config {
    let path = NSTemporaryDirectory() + "config-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    return try PublishedConfig.read(from: path)
  }

  private func expectError<Config: Decodable>(_: Config.Type, _ json: String, _ hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(Config.self, json) }
    #expect(error?.reason.contains(hint) == true, "\(error?.reason ?? "")")
  }

  /// That of openai/clip-vit-large-patch14, shortened.
  @Test func clip() throws {
    let config = try read(
      CLIPConfig.self,
      #"{"model_type": "clip", "projection_dim": 768, "text_config": {"hidden_size": 768, "#
        + #""intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}, "#
        + #""vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "#
        + #""num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14}}"#)
    #expect(config.projection == 768 && config.text.width == 768 && config.vision.width == 1024)
    #expect(config.vision.size == 224 && config.layout == .transformers)
    #expect(!config.text.hasProjection && config.text.end == 49_407)
    for (json, hint) in [
      (#"{"model_type": "siglip"}"#, "only clip is supported"),
      (#"{"model_type": "clip_text_model"}"#, "its encoder of images"),
      (#"{"vision_config": {"num_attention_heads": 7}}"#, "divide `hidden_size`"),
      (#"{"vision_config": {"image_size": 20}}"#, "at most `image_size`"),
    ] { expectError(CLIPConfig.self, json, hint) }
  }

  @Test func openCLIP() throws {
    func json(_ vision: String = "", _ text: String = "", _ further: String = "") -> String {
      #"{"model_cfg": {"embed_dim": 512, "vision_cfg": {"layers": 24, "width": 1024, "#
        + #""patch_size": 14"# + vision + #"}, "text_cfg": {"width": 768, "heads": 12"# + text
        + "}" + further + "}}"
    }
    let plain = try read(OpenCLIPConfig.self, json())
    #expect(plain.model.vision.heads == 16 && plain.model.vision.hidden == 4096)
    #expect(plain.model.text.vocabulary == 49_408 && plain.model.text.depth == 12)
    #expect(plain.model.vision.activation == .gelu && plain.model.text.activation == .gelu)
    #expect(plain.model.layout == .openCLIP && plain.model.projection == 512)
    #expect(plain.images.interpolation == "bicubic" && plain.images.keepsRatio)
    let quick = try read(
      OpenCLIPConfig.self, json("", "", #", "quick_gelu": true"#))
    #expect(quick.model.text.activation == .quickGELU)
    for (vision, text, hint) in [
      (#", "timm_model_name": "vit""#, "", "timm_model_name"),
      (#", "layers": [3, 4, 6, 3]"#, "", "no ResNets"),
      (#", "pool_type": "avg""#, "", "pool_type"),
      ("", #", "hf_model_name": "bert""#, "hf_model_name"),
      ("", #", "heads": 7"#, "it must divide"), (#", "head_width": 60"#, "", "head_width"),
    ] {
      // The last of equal keys counts in JSON.
      let changed = json(vision, text).replacing(
        vision.contains("\"layers\"") ? #""layers": 24, "# : "§", with: "")
      let other = changed.replacing(text.contains("\"heads\"") ? #", "heads": 12"# : "§", with: "")
      expectError(OpenCLIPConfig.self, other, hint)
    }
  }

  @Test func mask2Former() throws {
    let standard = try read(Mask2FormerConfig.self, #"{"model_type": "mask2former"}"#)
    #expect(standard.backbone.depths == [2, 2, 18, 2] && standard.backbone.window == 7)
    #expect(standard.depth == 9 && standard.pixelDepth == 6 && standard.queries == 100)
    #expect(standard.labels.count == 2 && !standard.hasProjections)
    let named = try read(
      Mask2FormerConfig.self,
      #"{"model_type": "mask2former", "id2label": {"1": "cat", "0": "dog"}, "hidden_dim": 128}"#)
    #expect(named.labels == ["dog", "cat"] && named.hasProjections)
    for (keys, hint) in [
      (#""model_type": "maskformer""#, "only mask2former"),
      (#""model_type": "mask2former", "backbone": "resnet50""#, "only a Swin"),
      (#""model_type": "mask2former", "backbone_config": {"model_type": "resnet"}"#, "only swin"),
      (#""model_type": "mask2former", "feature_size": 48"#, "a multiple of 32"),
      (#""model_type": "mask2former", "num_attention_heads": 7"#, "it must divide"),
      (#""model_type": "mask2former", "common_stride": 16"#, "must be 4 or 8"),
      (#""model_type": "mask2former", "feature_strides": [2, 4, 8, 16]"#, "[4, 8, 16, 32]"),
      (
        #""model_type": "mask2former", "backbone_config": {"out_features": ["stage4"]}"#,
        "the features of all stages"
      ),
      (
        #""model_type": "mask2former", "backbone_config": {"num_heads": [5, 6, 12, 24]}"#,
        "divisors"
      ),
    ] { expectError(Mask2FormerConfig.self, "{\(keys)}", hint) }
  }
}
