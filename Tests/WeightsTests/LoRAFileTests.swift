import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Weights

/// Files of LoRA in every style, and those that are refused.
@Suite struct LoRAFileTests {
  /// An array of f32 whose elements are 1, 2, 3 … times a factor.
  static func array(
    _ shape: [Int], _ factor: Float = 1
  ) -> (type: TensorType, bytes: [UInt8]) {
    let values = (0..<shape.reduce(1, *)).map { Float($0 + 1) * factor }
    return (
      TensorType(Shape(shape), .float32), values.withUnsafeBytes { Array($0) }
    )
  }

  /// Writes arrays of given shapes and opens the file.
  static func open(
    _ shapes: [(String, [Int])], metadata: [String: String] = [:], config: String? = nil
  ) throws -> LoRAFile {
    try withFolder { folder in
      try write(
        Named(shapes.map { ($0.0, array($0.1)) }), metadata: metadata,
        to: folder + "/file.safetensors")
      if let config {
        try Data(config.utf8).write(to: URL(fileURLWithPath: folder + "/adapter_config.json"))
      }
      return try LoRAFile(path: folder)
    }
  }

  @Test(arguments: [
    ("base_model.model.transformer.a.b", "lora_A", "lora_B", LoRAFile.Style.peft),
    ("base_model.model.a.b", "lora_A.default", "lora_B.default", .peft),
    ("a.b", "lora_A.default", "lora_B.default", .peft),
    ("a.b", "lora_A", "lora_B", .peft),
    ("transformer.a.b", "lora_A", "lora_B", .diffusers),
    ("transformer.a.b", "lora.down", "lora.up", .diffusers),
    ("diffusion_model.a.b", "lora_A", "lora_B", .comfyUI),
    ("diffusion_model.a.b", "lora_down", "lora_up", .comfyUI),
    ("model.diffusion_model.a.b", "lora_A", "lora_B", .comfyUI),
    ("a.b", "lora_down", "lora_up", .downUp),
    ("lora_unet_a_b", "lora_down", "lora_up", .kohya),
    ("lora_transformer_a_b", "lora_down", "lora_up", .kohya),
  ])
  func stylesAreRecognized(
    prefix: String, down: String, up: String, style: LoRAFile.Style
  ) throws {
    let file = try Self.open([
      ("\(prefix).\(down).weight", [2, 3]), ("\(prefix).\(up).weight", [4, 2]),
      ("\(prefix).alpha", []),
    ])
    #expect(file.style == style && file.rank == 2)
    let module = try #require(file.modules.first)
    #expect(module.name == (style == .kohya ? "a_b" : "a.b") && file.modules.count == 1)
    #expect(module.input == 3 && module.output == 4)
    #expect(module.alpha == 1 && module.scale == 0.5)
  }

  @Test func withoutAlphaTheScaleIsOne() throws {
    let file = try Self.open([
      ("a.lora_A.weight", [2, 3]), ("a.lora_B.weight", [4, 2]),
      ("b.lora_A.weight", [5, 3, 1, 1]), ("b.lora_B.weight", [4, 5, 1, 1]),
    ])
    #expect(file.modules.map(\.scale) == [1, 1] && file.modules.map(\.alpha) == [2, 5])
    #expect(file.rank == 5)
  }

  private static let two = [
    ("base_model.model.transformer.x.a.lora_A.weight", [4, 3]),
    ("base_model.model.transformer.x.a.lora_B.weight", [4, 4]),
    ("base_model.model.transformer.x.b.lora_A.weight", [2, 3]),
    ("base_model.model.transformer.x.b.lora_B.weight", [4, 2]),
  ]

  @Test(arguments: [
    (#"{"r": 4, "lora_alpha": 6, "rank_pattern": {"b": 2}}"#, [1.5, 3]),
    (
      #"{"r": 4, "lora_alpha": 6, "rank_pattern": {"transformer.x.b": 2}, "alpha_pattern": {"b|c": 1}}"#,
      [1.5, 0.5]
    ),
    (
      #"{"r": 4, "lora_alpha": 6, "rank_pattern": {"x\\.[bc]": 2}, "use_rslora": true}"#,
      [3, 6 / 2.0.squareRoot()]
    ),
  ])
  func configurationsSayTheScale(json: String, scales: [Double]) throws {
    #expect(try Self.open(Self.two, config: json).modules.map(\.scale) == scales)
    // diffusers writes the same below the name of its transformer.
    let prefixed = json.replacingOccurrences(of: #"{"r"#, with: #"{"transformer.r"#)
      .replacingOccurrences(of: #", ""#, with: #", "transformer."#)
    let diffusers = Self.two.map {
      ($0.0.replacingOccurrences(of: "base_model.model.", with: ""), $0.1)
    }
    for text in [prefixed, json] {
      let file = try Self.open(diffusers, metadata: ["lora_adapter_metadata": text])
      #expect(file.modules.map(\.scale) == scales && file.style == .diffusers)
    }
  }

  @Test(arguments: [
    (#"{"r": 4, "lora_alpha": 6}"#, "b has the rank 2, and its configuration says 4"),
    (#"{"r": 0, "lora_alpha": 6}"#, "r is no whole number above 0"),
    (#"{"r": 4}"#, "lora_alpha is null"),
    (#"{"r": 4, "lora_alpha": true}"#, "lora_alpha is true"),
    (#"{"r": 4, "lora_alpha": 6, "use_dora": true}"#, "use_dora is true"),
    (#"{"r": 4, "lora_alpha": 6, "peft_type": "LOHA"}"#, "peft_type is LOHA"),
    (
      #"{"r": 4, "lora_alpha": 6, "rank_pattern": {"(": 2}}"#, "rank_pattern has the number 2 for ("
    ),
    (#"{"r": 4, "lora_alpha": 6, "alpha_pattern": 3}"#, "alpha_pattern is the number 3"),
    ("[1]", "no JSON object"),
  ])
  func invalidConfigurationsAreNamed(json: String, hint: String) {
    expectRefusal(hint) { try Self.open(Self.two, config: json) }
  }

  private func expectRefusal(_ hint: String, _ body: () throws -> LoRAFile) {
    let error = #expect(throws: WeightsError.self) { try body() }
    guard case .unsupportedLoRA(_, let reason)? = error else {
      Issue.record("\(error.map { "\($0)" } ?? "nothing") is no refusal")
      return
    }
    #expect(reason.contains(hint), "\(reason)")
  }

  @Test(arguments: [
    ("a.dora_scale", "DoRA"), ("a.lora_magnitude_vector", "DoRA"), ("a.lora_mid.weight", "Tucker"),
    ("a.lokr_w1", "LoKr"), ("lycoris_a.lokr_w2", "LoKr"), ("a.hada_w1_a", "LoHa"),
    ("a.oft_blocks", "OFT"), ("a.diff", "in full"), ("a.diff_b", "in full"),
    ("a.lora_B.bias", "bias of LoRA"), ("a.weight", "a weight in full"),
    ("lora_te_text_model_a.lora_down.weight", "text encoder"),
    ("text_encoder.a.lora_A.weight", "text encoder"), ("a.lora_embedding_A", "embedding"),
    ("step", "no factor"),
  ])
  func arraysBesidesLoRAAreRefused(name: String, hint: String) {
    expectRefusal(hint) {
      try Self.open([("b.lora_A.weight", [2, 3]), ("b.lora_B.weight", [4, 2]), (name, [2])])
    }
  }

  /// Arrays, each with the sizes of its axes, and what is wrong with them.
  @Test(arguments: [
    ("a.alpha", "no factor"),
    ("a.lora_A.weight 2 3", "only a.lora_A.weight"),
    ("a.lora_A.weight 2 3, a.lora_B.weight 4 2, b.alpha", "only b.alpha"),
    ("a.lora_A.weight 2 3, a.lora_B.weight 4 3", "different ranks"),
    ("a.lora_A.weight 2 3 3 3, a.lora_B.weight 4 2 1 1", "a matrix"),
    ("a.lora_A.weight 0 3, a.lora_B.weight 4 0", "a matrix"),
    ("a.lora_A.weight 2 3, a.lora_B.weight 4 2, a.alpha 2", "one finite number"),
    (
      "a.lora_A.one.weight 2 3, a.lora_B.one.weight 4 2, b.lora_A.two.weight 2 3",
      "several adapters, one, two"
    ),
    (
      "a.lora_A.weight 2 3, a.lora_B.weight 4 2, transformer.a.lora_A.weight 2 3",
      "hold the same of a"
    ),
    (
      "base_model.model.a.lora_A.weight 2 3, base_model.model.a.lora_B.weight 4 2",
      "adapter_config.json"
    ),
  ])
  func incompleteFilesAreRefused(arrays: String, hint: String) {
    let shapes = arrays.components(separatedBy: ", ").map { array in
      let words = array.split(separator: " ")
      return (String(words[0]), words.dropFirst().compactMap { Int($0) })
    }
    expectRefusal(hint) { try Self.open(shapes) }
  }

  @Test func alphaAndMetadataMustAgree() throws {
    let shapes = [
      ("transformer.a.lora_A.weight", [2, 3]), ("transformer.a.lora_B.weight", [4, 2]),
      ("transformer.a.alpha", []),
    ]
    func open(_ alpha: Int) throws -> LoRAFile {
      try Self.open(
        shapes,
        metadata: [
          "lora_adapter_metadata": #"{"transformer.r": 2, "transformer.lora_alpha": \#(alpha)}"#
        ])
    }
    #expect(try open(1).modules.map(\.scale) == [0.5])
    expectRefusal("is unknown") { try open(2) }
  }
}
