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
    let zImage: ZImageConfig = try read("{}")
    #expect(zImage.headWidth == 128 && zImage.patch == 2 && zImage == ZImageConfig())
    let sd3: SD3Config = try read("{}")
    #expect(sd3.width == 1536 && sd3 == SD3Config())
    let autoencoder: AutoencoderKLConfig = try read("{}")
    #expect(autoencoder == AutoencoderKLConfig())
    #expect(autoencoder.scale == 0.18215 && autoencoder.tile.size == 32)
    let frames: AutoencoderKLQwenImageConfig = try read("{}")
    #expect(frames == AutoencoderKLQwenImageConfig())
    #expect(frames.means.count == 16 && frames.reduction == 8)
    #expect(frames.tile.size == 256 && frames.tile.stride == 192)
  }

  /// As diffusers has them, a quarter overlaps.
  @Test(arguments: [
    ("512", 512, 384), ("[1024, 768]", 1024, 768), ("null", 32, 24), ("100", 96, 72),
    ("8", 32, 24),
  ])
  func tilesAreOfTheImagesOfTraining(size: String, expected: Int, stride: Int) throws {
    let types = { (kind: String) in
      "[" + [String](repeating: kind, count: 4).joined(separator: ", ") + "]"
    }
    let config: AutoencoderKLConfig = try read(
      #"{"sample_size": \#(size), "block_out_channels": [32, 32, 32, 32], "down_block_types": "#
        + types("\"DownEncoderBlock2D\"") + #", "up_block_types": "#
        + types("\"UpDecoderBlock2D\"") + "}")
    #expect(config.tile.size == expected && config.tile.stride == stride)
  }

  /// The files of Stable Diffusion 3 do not name what 3.5 has added.
  @Test func olderFilesHaveNoDualAttention() throws {
    let plain: SD3Config = try read(
      #"{"_class_name": "SD3Transformer2DModel", "num_layers": 24, "pos_embed_max_size": 192}"#)
    #expect(plain.dualLayers.isEmpty && !plain.hasHeadNorms && !plain.hasTargetTime)
    let large: SD3Config = try read(
      #"{"_class_name": "SD3Transformer2DModelWrapper", "qk_norm": "rms_norm"}"#)
    #expect(large.dualLayers.isEmpty && large.hasHeadNorms && large.hasTargetTime)
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

  @Test(arguments: [
    ("{}", ZImageConfig.Times.plain), (#"{"_class_name": "ZImageTransformer2DModel"}"#, .plain),
    (#"{"_class_name": "ZImageTransformer2DModelWrapper"}"#, .released),
    (#"{"_class_name": "ZImageTransformer2DModelWrapper", "time_convention": "signed"}"#, .signed),
    (#"{"time_convention": "signed"}"#, .signed), (#"{"time_convention": "released"}"#, .released),
  ])
  func theClassSaysHowTimesAreEmbedded(json: String, times: ZImageConfig.Times) throws {
    let config: ZImageConfig = try read(json)
    #expect(config.times == times)
    #expect(config.hasTargetTime == (times != .plain))
    try roundTrip(config)
  }

  @Test func theWeightsSayWhetherThereIsATargetTime() {
    let embedders = [
      "time_text_embed_2.timestep_embedder.linear_1.bias", "t_embedder_2.mlp.0.bias",
    ]
    #expect(QwenImageConfig().matching(embedders).hasTargetTime)
    #expect(!QwenImageConfig().matching([embedders[1], "time_text_embed.x"]).hasTargetTime)
    var config = ZImageConfig()
    #expect(config.matching(embedders).times == .released)
    #expect(config.matching(["t_embedder.mlp.0.bias"]).times == .plain)
    config.times = .signed
    #expect(config.matching(embedders).times == .signed)
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
    var zImage = ZImageConfig()
    try roundTrip(zImage)
    (zImage.patches, zImage.framePatches, zImage.times) = ([4, 2], [1, 2], .signed)
    (zImage.hasHeadNorms, zImage.rotaryTables, zImage.normEpsilon) = (false, [9, 8, 7], 1e-3)
    (zImage.depth, zImage.execution) = (3, .recomputed)
    try roundTrip(zImage)
    var sd3 = SD3Config()
    try roundTrip(sd3)
    (sd3.hasTargetTime, sd3.hasHeadNorms, sd3.dualLayers) = (true, false, [3, 5])
    (sd3.sampleSize, sd3.positionTable, sd3.pooledWidth) = (32, 64, 7)
    try roundTrip(sd3)
    sd3.execution = .recomputed
    try roundTrip(sd3)
    try roundTrip(AutoencoderKLConfig())
    var autoencoder = AutoencoderKLConfig()
    (autoencoder.widths, autoencoder.encoderAttention) = ([32, 64, 64], [1, 2])
    (autoencoder.decoderAttention, autoencoder.shift) = ([0], 0.5)
    (autoencoder.means, autoencoder.deviations) = ([1, 2, 3, 4], [1, 2, 3, 4])
    autoencoder.sampleSize = 512
    try roundTrip(autoencoder)
    try roundTrip(AutoencoderKLQwenImageConfig())
    var frames = AutoencoderKLQwenImageConfig()
    (frames.channels, frames.latentChannels, frames.width) = (4, 2, 8)
    (frames.multiples, frames.blocks, frames.attentionScales) = ([1, 3], 1, [0.5])
    (frames.downsamplesTime, frames.means, frames.deviations) = ([true], [1, 2], [3, 4])
    try roundTrip(frames)
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
    (#"{"in_channels": 62}"#, "patches of 2² have a multiple of 4"),
  ])
  func impossibleQwenImagesAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(json, QwenImageConfig.self) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    (#"{"_class_name": "Lumina2Transformer2DModel"}"#, "`_class_name`"),
    (#"{"time_convention": "middle"}"#, "`time_convention`"),
    (#"{"siglip_feat_dim": 1152}"#, "only null is supported"),
    (#"{"all_patch_size": []}"#, "`all_patch_size`"), (#"{"all_patch_size": [0]}"#, "1 to 256"),
    (#"{"all_patch_size": [2, 4]}"#, "one for each of `all_patch_size`, 2"),
    (#"{"all_f_patch_size": [2]}"#, "one must be 1"),
    (#"{"all_patch_size": [2, 2], "all_f_patch_size": [1, 1]}"#, "two have the same"),
    (#"{"n_heads": 7}"#, "it must divide the width, 3840"),
    (#"{"axes_dims": [32, 48, 46]}"#, "the width of a head, 128"),
    (#"{"axes_dims": [31, 49, 48]}"#, "three even numbers"),
    (#"{"axes_lens": [512, 512]}"#, "three numbers"), (#"{"rope_theta": 0}"#, "`rope_theta`"),
    (#"{"t_scale": -1}"#, "`t_scale`"), (#"{"norm_eps": -1}"#, "`norm_eps`"),
    (#"{"n_refiner_layers": 0}"#, "`n_refiner_layers`"),
    (#"{"n_layers": 300, "execution": "unrolled"}"#, "compiled as a loop"),
    (#"{"n_layers": 3, "n_refiner_layers": 300}"#, "compiled as a loop"),
  ])
  func impossibleZImagesAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(json, ZImageConfig.self) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    (#"{"_class_name": "FluxTransformer2DModel"}"#, "`_class_name`"),
    (#"{"qk_norm": "layer_norm"}"#, "only rms_norm or null is supported"),
    (#"{"pos_embed_max_size": null}"#, "`pos_embed_max_size`"),
    (#"{"caption_projection_dim": 1152}"#, "the width of all heads, 1536"),
    (#"{"out_channels": 32}"#, "it must be `in_channels`, 16"),
    (#"{"dual_attention_layers": [24]}"#, "below `num_layers`, 24"),
    (#"{"dual_attention_layers": [1, 1]}"#, "they must be different"),
    (#"{"dual_attention_layers": [-1]}"#, "`dual_attention_layers`"),
    (#"{"attention_head_dim": 1, "num_attention_heads": 6}"#, "a multiple of 4"),
    (#"{"sample_size": 1}"#, "at least one patch of 2"),
    (#"{"num_layers": 300, "execution": "unrolled"}"#, "compiled as a loop"),
  ])
  func impossibleSD3sAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) { try read(json, SD3Config.self) }
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
    (#"{"sample_size": 0}"#, "`sample_size`"), (#"{"sample_size": []}"#, "`sample_size`"),
    (#"{"sample_size": "large"}"#, "`sample_size`"),
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

  @Test(arguments: [
    (#"{"_class_name": "AutoencoderKLWan"}"#, "`_class_name`"),
    (#"{"is_residual": true}"#, "`is_residual` is true: only false is supported"),
    (#"{"patch_size": 2}"#, "`patch_size` is 2: only 1 is supported"),
    (#"{"dim_mult": []}"#, "`dim_mult`"), (#"{"dim_mult": [1, 0, 4, 4]}"#, "`dim_mult`"),
    (#"{"dim_mult": [1, 1048576, 4, 4]}"#, "`dim_mult`"),
    (#"{"base_dim": 1, "dim_mult": [1, 1, 1, 1]}"#, "there must be two"),
    (#"{"base_dim": 0}"#, "`base_dim`"),
    (#"{"num_res_blocks": 0}"#, "`num_res_blocks`"),
    (#"{"input_channels": 0}"#, "`input_channels`"),
    (#"{"attn_scales": true}"#, "`attn_scales`"),
    (#"{"temperal_downsample": [true, false]}"#, "one value fewer than there are levels, 3"),
    (#"{"z_dim": 4}"#, "each of the 4 channels"), (#"{"latents_std": [1]}"#, "`latents_std`"),
    (#"{"z_dim": 1, "latents_mean": [0], "latents_std": [0]}"#, "above 0"),
  ])
  func impossibleFrameAutoencodersAreNamed(json: String, hint: String) {
    let error = #expect(throws: PublishedConfigError.self) {
      try read(json, AutoencoderKLQwenImageConfig.self)
    }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test func autoencodersAreKnownByTheirClass() throws {
    func config(_ json: String) throws -> any ImageAutoencoderConfig {
      let path = NSTemporaryDirectory() + "config-\(UUID().uuidString).json"
      defer { try? FileManager.default.removeItem(atPath: path) }
      try json.write(toFile: path, atomically: true, encoding: .utf8)
      return try ImageAutoencoders.config(from: path)
    }
    #expect(try config(#"{"_class_name": "AutoencoderKL"}"#) is AutoencoderKLConfig)
    let frames = try config(#"{"_class_name": "AutoencoderKLQwenImage", "base_dim": 8}"#)
    #expect((frames as? AutoencoderKLQwenImageConfig)?.width == 8)
    for (json, hint) in [
      (#"{"_class_name": "AutoencoderTiny"}"#, "AutoencoderKL or AutoencoderKLQwenImage"),
      ("{}", "`_class_name` is missing"),
      (#"{"_class_name": "AutoencoderKLQwenImage", "base_dim": 0}"#, "`base_dim`"),
    ] {
      let error = #expect(throws: PublishedConfigError.self) { try config(json) }
      #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }
  }
}
