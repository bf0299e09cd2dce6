import Foundation
import Layers
import Models
import Tensors
import Weights

/// Folders of small networks that judge pictures, with random weights.
public enum SmallJudges {
  private static var fixtures: String {
    URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/golden").standardized.path
  }

  /// Writes a Mask2Former that takes nearly everything for cats.
  ///
  /// - Throws: the errors of files and of the plugin.
  public static func writeDetector(_ path: String, classes: Int = 80, seed: UInt64 = 0) throws {
    let labels = (0..<classes).map { "\"\($0)\": \"thing \($0)\"" }.joined(separator: ", ")
    let config: Mask2FormerConfig = try start(
      path, from: "judge_mask2former", keeping: ["preprocessor_config.json"],
      """
      {"model_type": "mask2former", "backbone_config": {"model_type": "swin", "embed_dim": 4,
        "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "window_size": 2, "mlp_ratio": 1},
       "feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 8,
       "dim_feedforward": 8, "encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 1,
       "num_queries": 3, "num_labels": \(classes), "id2label": {\(labels)}}
      """)
    try write(
      Scope.declare { Mask2Former($0, config) }, config.names(in: []), path, seed: seed,
      adding: ("class_predictor.bias", min(15, classes - 1), 40))
  }

  /// Writes a CLIP.
  ///
  /// - Throws: the errors of files and of the plugin.
  public static func writeCLIP(_ path: String, seed: UInt64 = 0) throws {
    let config: CLIPConfig = try start(
      path, from: "judge_clip",
      keeping: ["preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"],
      """
      {"model_type": "clip", "projection_dim": 8,
       "text_config": {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1,
        "num_hidden_layers": 1, "vocab_size": 755, "eos_token_id": 2},
       "vision_config": {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1,
        "num_hidden_layers": 1, "image_size": 16, "patch_size": 8}}
      """)
    try write(
      Scope.declare { CLIP($0, config) }, config.names(in: []), path, seed: seed)
  }

  /// Writes a Qwen2.5-VL.
  ///
  /// - Throws: the errors of files and of the plugin.
  public static func writeQwen2_5VL(_ path: String, seed: UInt64 = 0) throws {
    let config: Qwen2_5VLConfig = try start(
      path, from: "judge_qwen3_vl", keeping: conversation,
      """
      {"model_type": "qwen2_5_vl", "vocab_size": 515, "hidden_size": 16, "intermediate_size": 16,
       "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "image_token_id": 508,
       "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
       "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
        "out_hidden_size": 16, "patch_size": 8, "window_size": 16, "fullatt_block_indexes": [0]}}
      """)
    try write(config, path, seed: seed)
  }

  /// Writes a Qwen3-VL.
  ///
  /// - Throws: the errors of files and of the plugin.
  public static func writeQwen3VL(_ path: String, seed: UInt64 = 0) throws {
    let config: Qwen3VLConfig = try start(
      path, from: "judge_qwen3_vl", keeping: conversation,
      """
      {"model_type": "qwen3_vl", "image_token_id": 508,
       "text_config": {"vocab_size": 515, "hidden_size": 16, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
        "rope_scaling": {"mrope_interleaved": true, "mrope_section": [2, 1, 1], "rope_type": "default"}},
       "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
        "out_hidden_size": 16, "patch_size": 8, "num_position_embeddings": 4,
        "deepstack_visual_indexes": [0]}}
      """)
    try write(config, path, seed: seed)
  }

  private static let conversation = [
    "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
  ]

  /// Makes a folder with the files of a case that hold no weights, and reads its sizes.
  private static func start<Config: Decodable>(
    _ path: String, from name: String, keeping files: [String], _ config: String
  ) throws -> Config {
    let manager = FileManager.default
    try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
    for file in files {
      try manager.copyItem(atPath: "\(fixtures)/\(name)/model/\(file)", toPath: "\(path)/\(file)")
    }
    try Data(config.utf8).write(to: URL(filePath: "\(path)/config.json"))
    return try PublishedConfig.read(from: "\(path)/config.json")
  }

  /// Writes language model, head and tower as published.
  private static func write(_ config: some VisionLanguageConfig, _ path: String, seed: UInt64)
    throws
  {
    let tower = config.tower!
    let parts = [
      (Scope.declare { config.model($0) }, config.names),
      (
        Scope.declare { tower.network($0) },
        tower.names(in: ["model.visual.patch_embed.proj.weight"])
      ),
      (
        Scope.declare {
          LanguageModelHead($0, width: config.width, vocabulary: config.vocabulary)
        }, config.headNames(in: [])
      ),
    ]
    var map: [String: String] = [:]
    for (number, (specs, names)) in parts.enumerated() {
      let file = String(format: "model-%05d-of-%05d.safetensors", number + 1, parts.count)
      try write(specs, names, path, file: file, seed: seed + UInt64(1000 * number))
      for name in try WeightFiles(path: "\(path)/\(file)").types.names { map[name] = file }
    }
    try JSONSerialization.data(withJSONObject: ["weight_map": map])
      .write(to: URL(filePath: "\(path)/model.safetensors.index.json"))
  }

  /// Writes a network's parameters at random, and one of them larger by a number.
  private static func write(
    _ specs: Named<ParameterSpec>, _ names: NameMap, _ path: String,
    file: String = "model.safetensors", seed: UInt64,
    adding change: (name: String, place: Int, amount: Float)? = nil
  ) throws {
    var own = seed
    let engine = try SharedEngine.get()
    let weights = try specs.map { name, spec in
      own += 1
      let sizes = spec.shape.sizes
      let isNorm = name.contains("norm") && name.hasSuffix("weight")
      let isStacked = name.contains("*")
      let fan = sizes.dropFirst(isStacked ? 2 : 1).reduce(1, *)
      let isMatrix = sizes.count > (isStacked ? 2 : 1)
      let bound = isMatrix ? (3 / Double(fan)).squareRoot() : 0.1
      let values = Numbers.random(sizes, seed: own, in: -bound...bound, .float32).values
      var floats = values.map { Float(isNorm ? 1 + $0 : $0) }
      if let change, change.name == name { floats[change.place] += change.amount }
      return try engine.array(floats, shape: spec.shape.sizes)
    }
    try WeightFiles.write(parameters: weights, names: names, to: "\(path)/\(file)")
  }
}
