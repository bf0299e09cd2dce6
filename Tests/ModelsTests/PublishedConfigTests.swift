import Foundation
import Layers
import Models
import Testing

@Suite struct PublishedConfigTests {
  private func read<Config: Decodable>(_ json: String, _: Config.Type = Config.self) throws
    -> Config
  {
    let path = NSTemporaryDirectory() + "config-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try json.write(toFile: path, atomically: true, encoding: .utf8)
    return try PublishedConfig.read(from: path)
  }

  private func roundTrip<Config: Codable & Equatable>(_ config: Config) throws {
    let text = String(decoding: try JSONEncoder().encode(config), as: UTF8.self)
    #expect(try read(text) == config, "\(text)")
  }

  @Test func absentKeysHaveTheirPublishedDefaults() throws {
    let dit: ClassDiTConfig = try read("{}")
    #expect(dit == ClassDiTConfig())
    let qwen: QwenImageConfig = try read("{}")
    #expect(qwen == QwenImageConfig())
    #expect(qwen.width == 3072)
    let autoencoder: AutoencoderKLConfig = try read("{}")
    #expect(autoencoder == AutoencoderKLConfig())
    #expect(autoencoder.scale == 0.18215)
  }

  @Test func nullsAreAsPublished() throws {
    let qwen: QwenImageConfig = try read(#"{"in_channels": 64, "out_channels": null}"#)
    #expect(qwen.outputChannels == 64)
    let dit: ClassDiTConfig = try read(#"{"in_channels": 6, "out_channels": null}"#)
    #expect(dit.outputChannels == 6)
    let autoencoder: AutoencoderKLConfig = try read(
      #"{"shift_factor": null, "latents_mean": null, "latents_std": null}"#)
    #expect(autoencoder.shift == 0 && autoencoder.means == nil)
  }

  @Test func theClassSaysWhetherThereIsATargetTime() throws {
    let plain: QwenImageConfig = try read(#"{"_class_name": "QwenImageTransformer2DModel"}"#)
    let both: QwenImageConfig = try read(#"{"_class_name": "QwenImageTransformer2DModelWrapper"}"#)
    #expect(!plain.hasTargetTime && both.hasTargetTime)
  }

  @Test func keysWithoutInfluenceAreIgnored() throws {
    let dit: ClassDiTConfig = try read(
      #"{"dropout": 0.5, "norm_num_groups": null, "upcast_attention": true, "_diffusers_version": "1"}"#
    )
    #expect(dit == ClassDiTConfig())
    let qwen: QwenImageConfig = try read(
      #"{"pooled_projection_dim": 768, "guidance_embeds": false, "use_layer3d_rope": false}"#)
    #expect(qwen == QwenImageConfig())
  }

  @Test func shallowStacksAreUnrolled() throws {
    let shallow: QwenImageConfig = try read(#"{"num_layers": 24}"#)
    let deep: QwenImageConfig = try read(#"{"num_layers": 25}"#)
    let chosen: QwenImageConfig = try read(#"{"num_layers": 2, "execution": "recomputed"}"#)
    #expect(shallow.execution == .unrolled)
    #expect(deep.execution == .scanned)
    #expect(chosen.execution == .recomputed)
  }

  @Test func configsAreWrittenAsTheyAreRead() throws {
    try roundTrip(ClassDiTConfig())
    var dit = ClassDiTConfig()
    (dit.outputChannels, dit.hasAttentionBias, dit.approximatesGELU) = (8, false, false)
    (dit.hasNormWeights, dit.execution) = (true, .recomputed)
    try roundTrip(dit)
    var qwen = QwenImageConfig()
    try roundTrip(qwen)
    (qwen.hasTargetTime, qwen.hasCleanReferences, qwen.depth) = (true, true, 2)
    qwen.execution = .unrolled
    try roundTrip(qwen)
    try roundTrip(AutoencoderKLConfig())
    var autoencoder = AutoencoderKLConfig()
    (autoencoder.widths, autoencoder.encoderAttention) = ([32, 64, 64], [1, 2])
    (autoencoder.decoderAttention, autoencoder.shift) = ([0], 0.5)
    (autoencoder.means, autoencoder.deviations) = ([1, 2, 3, 4], [1, 2, 3, 4])
    try roundTrip(autoencoder)
  }

  @Test(arguments: [
    (#"{"_class_name": "PixArtTransformer2DModel"}"#, "`_class_name`"),
    (#"{"norm_type": "layer_norm"}"#, "only ada_norm_zero is supported"),
    (#"{"activation_fn": "geglu"}"#, "only gelu-approximate or gelu"),
    (#"{"num_layers": 0}"#, "`num_layers` is 0"), (#"{"num_layers": 2.5}"#, "a fraction"),
    (#"{"num_layers": "many"}"#, "`num_layers` is not of the type"),
    (#"{"num_layers": null}"#, "`num_layers` is null"),
    (#"{"attention_head_dim": 7, "num_attention_heads": 3}"#, "21 features"),
    (#"{"num_attention_heads": 1000000, "attention_head_dim": 1000000}"#, "features"),
    (#"{"patch_size": 3}"#, "it must divide the size, 32"), (#"{"norm_eps": -1}"#, "`norm_eps`"),
    (#"{"num_layers": 300, "execution": "unrolled"}"#, "compiled as a loop"), ("[1]", "the file"),
    ("{", "not valid JSON"), ("", "not valid JSON"),
  ])
  func impossibleClassDiTsAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(json, ClassDiTConfig.self) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    (#"{"_class_name": "FluxTransformer2DModel"}"#, "`_class_name`"),
    (#"{"guidance_embeds": true}"#, "`guidance_embeds` is true: only false is supported"),
    (#"{"use_additional_t_cond": true}"#, "`use_additional_t_cond`"),
    (#"{"use_layer3d_rope": true}"#, "`use_layer3d_rope`"),
    (#"{"axes_dims_rope": [16, 56]}"#, "three even numbers"),
    (#"{"axes_dims_rope": [15, 57, 56]}"#, "three even numbers"),
    (#"{"axes_dims_rope": [16, 16, 16]}"#, "the width of a head, 128"),
    (#"{"num_attention_heads": 100000}"#, "`num_attention_heads`"),
    (#"{"patch_size": 0}"#, "`patch_size`"), (#"{"out_channels": -1}"#, "`out_channels`"),
  ])
  func impossibleQwenImagesAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(json, QwenImageConfig.self) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    (#"{"_class_name": "AutoencoderDC"}"#, "`_class_name`"), (#"{"act_fn": "relu"}"#, "`act_fn`"),
    (#"{"block_out_channels": []}"#, "`block_out_channels`"),
    (#"{"block_out_channels": [48]}"#, "multiples of the groups, 32"),
    (#"{"block_out_channels": [32, 64]}"#, "one for each of 2 levels"),
    (#"{"down_block_types": ["DownBlock2D"]}"#, "AttnDownEncoderBlock2D"),
    (#"{"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}"#, "each of 1 levels"),
    (#"{"layers_per_block": 1000}"#, "`layers_per_block`"),
    (#"{"scaling_factor": 0}"#, "`scaling_factor`"),
    (#"{"latents_mean": [1, 2]}"#, "each of the 4 channels"),
    (#"{"latents_mean": [1, 2, 3, 4]}"#, "`latents_std` is null"),
    (#"{"latents_mean": [1, 2, 3, 4], "latents_std": [1, 2, 3, 0]}"#, "above 0"),
  ])
  func impossibleAutoencodersAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) {
      try read(json, AutoencoderKLConfig.self)
    }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }
}
