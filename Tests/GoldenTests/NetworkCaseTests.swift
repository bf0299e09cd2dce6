import Foundation
import TestSupport
import Testing

@testable import Golden

/// Damaged cases of networks end with one line that says what is wrong, and never with a crash.
@Suite struct NetworkCaseTests {
  /// One small case of each network.
  static let cases = [
    "tr_dit_plain", "tr_sit", "tr_qwenimage_wrapper_edit", "tr_zimage_wrapper", "tr_sd3_wrapper",
    "tr_sana_wrapper", "ae_kl16", "ae_qwenimage", "ae_dc",
  ]

  @Test(arguments: cases) func missingInputsAreNamed(_ name: String) throws {
    for input in try CaseCopy(name).names(.inputs) {
      // Without a mask all text is valid, and without a reference image there is none; the plain
      // transformer has no target times.
      let isOptional =
        ["txt_mask", "ref"].contains(input) || (name == "tr_dit_plain" && input.hasPrefix("tt_"))
      guard !isOptional else { continue }
      let damaged = try CaseCopy(name)
      try damaged.edit(.inputs) { $0[input] = nil }
      damaged.expectError("has no \(input)")
    }
  }

  @Test(arguments: cases) func inputsOfOtherShapesAreNamed(_ name: String) throws {
    for input in try CaseCopy(name).names(.inputs) {
      guard !(name == "tr_dit_plain" && input.hasPrefix("tt_")) else { continue }
      for change in [\CaseCopy.Array.shorter, \.deeper] {
        // Fewer images are a smaller batch, whose outputs are not those that are expected.
        let damaged = try CaseCopy(name)
        try damaged.edit(.inputs) { $0[input] = try #require($0[input])[keyPath: change] }
        #expect(throws: GoldenError.self, "\(input)") { try damaged.check() }
      }
    }
  }

  @Test(arguments: cases, SlowTests.arguments([Float.nan], slow: [.infinity, -1e38]))
  func inputsOfOtherNumbersDiffer(
    _ name: String, _ number: Float
  ) throws {
    for input in ["latents", "labels", "txt_mask", "t_a", "image", "z"] {
      let damaged = try CaseCopy(name)
      guard try damaged.names(.inputs).contains(input) else { continue }
      try damaged.edit(.inputs) { $0[input] = $0[input]?.filled(with: number) }
      if input == "labels" {
        damaged.expectError("values other than 0 to 10")
      } else {
        #expect(try damaged.check().contains { $0.share > 1 }, "\(input)")
      }
    }
  }

  @Test(arguments: cases) func expectedOutputsAreAllCompared(_ name: String) throws {
    let outputs = try CaseCopy(name).names(.expected).sorted()
    for remainder in 0...1 {
      let changed = outputs.indices.filter { $0 % 2 == remainder }.map { outputs[$0] }
      let damaged = try CaseCopy(name)
      try damaged.edit(.expected) { arrays in
        for output in changed { arrays[output] = arrays[output]?.filled(with: 1) }
      }
      #expect(try damaged.check().filter { $0.share > 1 }.map(\.name).sorted() == changed)
    }
    let other = try CaseCopy(name)
    try other.edit(.expected) { $0[outputs[0]] = $0[outputs[0]]?.deeper }
    other.expectError("its expected \(outputs[0]) is")
    let more = try CaseCopy(name)
    try more.edit(.expected) { $0["unknown"] = $0.values.first }
    more.expectError("has unknown, which is not a known output")
  }

  @Test(arguments: [
    ("tr_dit_plain", "PixArtTransformer2DModel"), ("ae_kl16", "AutoencoderTiny"),
  ])
  func unknownClassesAreNamed(_ name: String, _ published: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.editSettings { $0["cls"] = published }
    damaged.expectError(published)
    try damaged.editSettings { $0["cls"] = nil }
    damaged.expectError("null, is not known")
  }

  @Test(arguments: [
    ("tr_dit_plain", "num_layers", "`num_layers` is 0"),
    ("tr_dit_plain", "norm_type", "`norm_type`"),
    ("tr_qwenimage_wrapper", "guidance_embeds", "`guidance_embeds`"),
    ("tr_qwenimage_wrapper", "in_channels", "`in_channels`"),
    ("tr_zimage_wrapper", "dim", "`dim`"),
    ("tr_zimage_wrapper", "all_patch_size", "`all_patch_size`"),
    ("tr_sana_wrapper", "cross_attention_dim", "`cross_attention_dim`"),
    ("tr_sana_wrapper", "mlp_ratio", "`mlp_ratio`"),
    ("ae_dc", "encoder_block_types", "`encoder_block_types`"),
    ("ae_dc", "upsample_block_type", "`upsample_block_type`"),
    ("ae_kl16", "down_block_types", "`down_block_types`"),
    ("ae_kl16", "norm_num_groups", "`norm_num_groups`"),
    ("ae_qwenimage", "dim_mult", "`dim_mult`"), ("ae_qwenimage", "z_dim", "`z_dim`"),
    ("ae_qwenimage", "temperal_downsample", "`temperal_downsample`"),
  ])
  func unsupportedConfigsAreNamed(name: String, key: String, hint: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.editSettings(of: "model/config.json") { settings in
      switch settings[key] {
      case is Bool: settings[key] = true
      case is String: settings[key] = "other"
      case is [Any]: settings[key] = [] as [Any]
      default: settings[key] = 0
      }
    }
    damaged.expectError(hint)
  }

  @Test(
    "A network of other sizes than its weights is no network of the case",
    arguments: [
      ("tr_dit_plain", "num_layers", 3), ("tr_dit_plain", "num_layers", 1),
      ("tr_dit_plain", "num_embeds_ada_norm", 11), ("tr_dit_plain", "out_channels", 4),
      ("tr_qwenimage_wrapper", "joint_attention_dim", 13),
      ("tr_qwenimage_wrapper", "num_layers", 3),
      ("tr_qwenimage_wrapper", "in_channels", 18), ("tr_zimage_wrapper", "n_layers", 3),
      ("tr_zimage_wrapper", "n_layers", 1), ("tr_zimage_wrapper", "n_refiner_layers", 2),
      ("tr_zimage_wrapper", "cap_feat_dim", 13), ("ae_kl16", "latent_channels", 4),
      ("ae_kl16", "layers_per_block", 2), ("ae_kl16", "latent_channels", 1 << 20),
      ("tr_sana_wrapper", "num_layers", 3), ("tr_sana_wrapper", "caption_channels", 13),
      ("tr_sana_wrapper", "cross_attention_head_dim", 8), ("ae_dc", "latent_channels", 4),
      ("ae_dc", "attention_head_dim", 16),
      ("ae_qwenimage", "num_res_blocks", 2), ("ae_qwenimage", "base_dim", 16),
      ("ae_qwenimage", "input_channels", 4), ("ae_qwenimage", "base_dim", 1 << 20),
    ])
  func otherSizesAreNamed(name: String, key: String, value: Int) throws {
    let damaged = try CaseCopy(name)
    try damaged.editSettings(of: "model/config.json") { $0[key] = value }
    #expect(throws: GoldenError.self) { try damaged.check() }
  }

  @Test(arguments: cases) func brokenFilesAreErrors(_ name: String) throws {
    for file in ["config.json", "diffusion_pytorch_model.safetensors"] {
      for length in [0, 7, 100] {
        let damaged = try CaseCopy(name)
        let place = URL(fileURLWithPath: "\(damaged.path)/model/\(file)")
        try Data(contentsOf: place).prefix(length).write(to: place)
        #expect(throws: GoldenError.self) { try damaged.check() }
      }
      let damaged = try CaseCopy(name)
      try FileManager.default.removeItem(atPath: "\(damaged.path)/model/\(file)")
      #expect(throws: GoldenError.self) { try damaged.check() }
    }
    let damaged = try CaseCopy(name)
    try FileManager.default.removeItem(atPath: "\(damaged.path)/model")
    #expect(throws: GoldenError.self) { try damaged.check() }
  }

  @Test func imagesHaveTheSizesThatPatchesDivide() throws {
    let damaged = try CaseCopy("tr_qwenimage_wrapper")
    try damaged.edit(.inputs) { arrays in
      arrays["latents"]?.shape = [2, 4, 32, 3]
    }
    damaged.expectError("multiples of 2")
  }

  @Test(arguments: ["\"much\"", "true", "[1]"]) func noiseFloorsAreNumbers(_ json: String) throws {
    let damaged = try CaseCopy("ae_kl16")
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    try damaged.editSettings { $0["float32_vs_float64_maxabs"] = value }
    #expect(throws: GoldenError.self) { try damaged.check() }
  }
}
