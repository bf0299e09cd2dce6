import Foundation
import Layers
import Models
import Testing

/// What text encoders read of the `config.json` of transformers.
@Suite struct TextEncoderConfigTests {
  private func read<Config: TextEncoderConfig>(
    _: Config.Type = Config.self, _ json: String
  ) throws -> Config {
    let path = NSTemporaryDirectory() + "config-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    let config = try PublishedConfig.read(Config.self, from: path)
    // What is written is read as the same.
    let written = try JSONEncoder().encode(config)
    #expect(try JSONDecoder().decode(Config.self, from: written) == config)
    return config
  }

  private func expectError<Config: TextEncoderConfig>(
    _: Config.Type, _ json: String, _ hint: String
  ) {
    let error = #expect(throws: PublishedConfigError.self) { try read(Config.self, json) }
    #expect(error?.reason.contains(hint) == true, "\(error?.reason ?? "")")
  }

  @Test func absentKeysAreThoseOfTheClasses() throws {
    let qwen = try read(Qwen3Config.self, "{}")
    #expect(qwen.vocabulary == 151_936 && qwen.width == 4096 && qwen.hidden == 22_016)
    #expect(qwen.depth == 32 && qwen.heads == .init(32, width: 128) && qwen.activation == .silu)
    #expect(qwen.theta == 10_000 && qwen.epsilon == 1e-6 && !qwen.attentionBias)
    #expect(qwen.layers == [AttentionLayer](repeating: .full, count: 32))
    #expect(qwen.execution == .scanned)

    let gemma = try read(Gemma2Config.self, "{}")
    #expect(gemma.vocabulary == 256_000 && gemma.width == 2304 && gemma.hidden == 9216)
    #expect(gemma.depth == 26 && gemma.heads == .init(8, keys: 4, width: 256))
    #expect(gemma.queryScalar == 256 && gemma.softCap == 50 && gemma.window == 4096)
    #expect(gemma.activation == .geluTanh)
    #expect(gemma.layers == (0..<26).map { $0 % 2 == 0 ? .sliding : .full })

    let t5 = try read(T5Config.self, "{}")
    #expect(t5.vocabulary == 32_128 && t5.width == 512 && t5.hidden == 2048 && t5.depth == 6)
    #expect(t5.heads == 8 && t5.headWidth == 64 && t5.buckets == 32 && t5.farthest == 128)
    #expect(t5.activation == .relu && !t5.isGated && t5.execution == .unrolled)

    let clip = try read(CLIPTextConfig.self, "{}")
    #expect(clip.vocabulary == 49_408 && clip.width == 512 && clip.hidden == 2048)
    #expect(clip.depth == 12 && clip.heads == 8 && clip.positions == 77 && clip.end == 49_407)
    #expect(clip.activation == .quickGELU && clip.epsilon == 1e-5 && !clip.hasProjection)
  }

  /// Z-Image's, as transformers 4 writes it; and the same as transformers 5 does.
  @Test(arguments: [
    #""rope_theta": 1000000, "rope_scaling": null, "torch_dtype": "bfloat16""#,
    #""rope_theta": 1000000, "rope_scaling": {"type": "default"}"#,
    #""rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "dtype": "bfloat16""#,
    #""rope_theta": 1000000, "rope_parameters": {"rope_type": "default"}"#,
    #""rope_theta": 5, "rope_parameters": {"rope_theta": 1000000}"#,
  ])
  func qwen3(rope: String) throws {
    let config = try read(
      Qwen3Config.self,
      """
      {"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
       "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
       "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 9728,
       "max_position_embeddings": 40960, "max_window_layers": 36, "model_type": "qwen3",
       "num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8,
       "rms_norm_eps": 1e-06, "sliding_window": null, "tie_word_embeddings": true,
       "use_cache": true, "use_sliding_window": false, "vocab_size": 151936, \(rope)}
      """)
    #expect(config.theta == 1e6 && config.heads == .init(32, keys: 8, width: 128))
    #expect(config.depth == 36 && config.layers.allSatisfy { $0 == .full } && config.window == nil)
  }

  private static let languageOfQwen2_5VL = #"""
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
    "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "vocab_size": 152064,
    "use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 28,
    "rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}
    """#
  private static let visionOfQwen2_5VL = #"""
    "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280, "in_chans": 3,
     "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584, "patch_size": 14,
     "spatial_merge_size": 2, "spatial_patch_size": 14, "window_size": 112, "temporal_patch_size": 2,
     "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2, "model_type": "qwen2_5_vl"}
    """#

  /// The layouts of transformers 4, flat and nested, and of transformers 5.
  @Test(arguments: [
    languageOfQwen2_5VL, "\"text_config\": {\(languageOfQwen2_5VL)}",
    #""hidden_size": 5, "num_hidden_layers": 7, "text_config": {"# + languageOfQwen2_5VL + "}",
    #""text_config": {"model_type": "qwen2_5_vl_text", "#
      + languageOfQwen2_5VL.replacingOccurrences(
        of: #""rope_theta": 1000000.0, "rope_scaling": {"type": "mrope","#,
        with: #""rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default","#) + "}",
  ])
  func qwen2_5VL(language: String) throws {
    let config = try read(
      Qwen2_5VLConfig.self,
      """
      {"model_type": "qwen2_5_vl", "image_token_id": 151655, "tie_word_embeddings": false,
       \(Self.visionOfQwen2_5VL), \(language)}
      """)
    #expect(config.width == 3584 && config.depth == 28 && config.hidden == 18_944)
    #expect(config.heads == .init(28, keys: 4, width: 128) && config.sections == [16, 24, 24])
    #expect(config.theta == 1e6 && config.epsilon == 1e-6 && config.window == nil)
    #expect(config.layers.allSatisfy { $0 == .full } && !config.isTied)
    let vision = try #require(config.vision)
    #expect(vision.width == 1280 && vision.depth == 32 && vision.heads == 16)
    #expect(
      vision.fullLayers == [7, 15, 23, 31] && vision.output == 3584 && vision.theta == 10_000)
    // The weights of the published checkpoint, 8,292,166,656 with the map to logits.
    let tower = Scope.declare { Qwen2_5VLVision($0, vision) }.elements
    let text = Scope.declare { Qwen2_5VL($0, config) }.elements
    let head = Scope.declare { LanguageModelHead($0, width: 3584, vocabulary: 152_064) }.elements
    #expect(tower + text + head == 8_292_166_656)
  }

  /// Those of Qwen3-VL-8B-Instruct and Qwen3-VL-2B-Instruct, with the numbers of their weights.
  @Test(arguments: [
    (4096, 12_288, 36, 32, false, [27, 1152, 4304], [8, 16, 24], 8_767_123_696),
    (2048, 6144, 28, 16, true, [24, 1024, 4096], [5, 11, 17], 2_127_532_032),
  ])
  func qwen3VL(
    width: Int, hidden: Int, depth: Int, heads: Int, isTied: Bool, tower: [Int], deep: [Int],
    count: Int
  ) throws {
    let json = """
      {"architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl",
       "image_token_id": 151655, "tie_word_embeddings": \(isTied),
       "text_config": {"model_type": "qwen3_vl_text", "attention_bias": false, "head_dim": 128,
         "hidden_act": "silu", "hidden_size": \(width), "intermediate_size": \(hidden),
         "num_attention_heads": \(heads), "num_hidden_layers": \(depth), "num_key_value_heads": 8,
         "rms_norm_eps": 1e-06, "rope_theta": 5000000, "vocab_size": 151936, "rope_scaling":
           {"mrope_interleaved": true, "mrope_section": [24, 20, 20], "rope_type": "default"}},
       "vision_config": {"model_type": "qwen3_vl", "deepstack_visual_indexes": \(deep),
         "depth": \(tower[0]), "hidden_act": "gelu_pytorch_tanh", "hidden_size": \(tower[1]),
         "in_channels": 3, "intermediate_size": \(tower[2]), "num_heads": 16,
         "num_position_embeddings": 2304, "out_hidden_size": \(width), "patch_size": 16,
         "spatial_merge_size": 2, "temporal_patch_size": 2}}
      """
    let config = try read(Qwen3VLConfig.self, json)
    let vision = try #require(config.vision)
    #expect(config.heads == .init(heads, keys: 8, width: 128) && config.theta == 5e6)
    #expect(
      config.sections == [24, 20, 20] && vision.positions == 2304 && vision.deepLayers == deep)
    #expect(config.title == (depth == 36 ? "Qwen3-VL-8B" : "Qwen3-VL"))
    let weights = Scope.declare { Qwen3VL($0, config) }.elements
    let images = Scope.declare { Qwen3VLVision($0, vision) }.elements
    let head = Scope.declare { LanguageModelHead($0, width: width, vocabulary: 151_936) }.elements
    #expect(weights + images + (isTied ? 0 : head) == count)
    let embedding = "model.language_model.embed_tokens.weight"
    #expect(config.names(in: [embedding]).diskName(of: "embed_tokens.weight") == embedding)
    #expect(config.ignores("lm_head.weight") && config.ignores("model.visual.pos_embed.weight"))
  }

  @Test func errorsOfQwen3VL() {
    for (json, hint) in [
      (#"{"model_type": "qwen3_vl_moe"}"#, "only qwen3_vl"),
      (#"{"rope_parameters": {"mrope_section": [24, 20, 24]}}"#, "the sum 64"),
      (#"{"rope_parameters": {"rope_type": "yarn"}}"#, "`rope_type`"),
      (#"{"vision_config": {"deepstack_visual_indexes": [3, 3]}}"#, "each once"),
      (#"{"vision_config": {"deepstack_visual_indexes": [27]}}"#, "0 to 26"),
      (#"{"vision_config": {"num_heads": 7}}"#, "a quarter of `hidden_size`"),
      (#"{"num_hidden_layers": 2, "vision_config": {}}"#, "as many layers"),
    ] { expectError(Qwen3VLConfig.self, json, hint) }
  }

  @Test func defaultsAndErrorsOfQwen2_5VL() throws {
    let config = try read(Qwen2_5VLConfig.self, "{}")
    #expect(config.vocabulary == 152_064 && config.width == 8192 && config.hidden == 29_568)
    #expect(config.depth == 80 && config.heads == .init(64, keys: 8, width: 128))
    #expect(config.theta == 1e6 && config.epsilon == 1e-5 && config.imageToken == 151_655)
    #expect(config.vision == nil && !config.isTied)
    let tied = try read(
      Qwen2_5VLConfig.self, #"{"text_config": {"tie_word_embeddings": true}, "vision_config": {}}"#)
    #expect(tied.isTied && tied.vision?.width == 3584)
    #expect(
      tied.headNames(in: ["model.embed_tokens.weight"]).diskName(of: "lm_head.weight")
        == "model.embed_tokens.weight")
    #expect(
      config.headNames(in: ["lm_head.weight"]).diskName(of: "lm_head.weight")
        == "lm_head.weight")
    expectError(Qwen2_5VLConfig.self, #"{"model_type": "qwen2_vl"}"#, "only qwen2_5_vl")
    expectError(Qwen2_5VLConfig.self, #"{"num_attention_heads": 7}"#, "must divide half")
    expectError(Qwen2_5VLConfig.self, #"{"head_dim": 64}"#, "only 128")
    expectError(
      Qwen2_5VLConfig.self, #"{"rope_scaling": {"type": "mrope", "mrope_section": [16, 24]}}"#,
      "the sum 64")
    expectError(
      Qwen2_5VLConfig.self, #"{"rope_scaling": {"type": "yarn"}}"#, "only the `rope_type` default")
    expectError(
      Qwen2_5VLConfig.self, #"{"vision_config": {"num_heads": 3}}"#, "a quarter of `hidden_size`")
    expectError(
      Qwen2_5VLConfig.self, #"{"vision_config": {"window_size": 27}}"#, "28 pixels")
    expectError(
      Qwen2_5VLConfig.self, #"{"text_config": {"hidden_size": null}}"#, "hidden_size")
  }

  @Test func windowsOfQwen3() throws {
    let sizes = #""num_hidden_layers": 4, "max_window_layers": 3, "sliding_window": 8"#
    let used = try read(Qwen3Config.self, "{\(sizes), \"use_sliding_window\": true}")
    #expect(used.layers == [.full, .full, .full, .sliding] && used.window == 8)
    let unused = try read(Qwen3Config.self, "{\(sizes)}")
    #expect(unused.layers == [.full, .full, .full, .full] && unused.window == nil)
    let types = #""layer_types": ["sliding_attention", "full_attention"]"#
    let listed = try read(
      Qwen3Config.self,
      "{\"num_hidden_layers\": 2, \(types), \"use_sliding_window\": true, \"sliding_window\": 3}")
    #expect(listed.layers == [.sliding, .full])
    expectError(Qwen3Config.self, "{\"num_hidden_layers\": 2, \(types)}", "no `sliding_window`")
    expectError(Qwen3Config.self, "{\"num_hidden_layers\": 3, \(types)}", "each of 3 layers")
  }

  @Test func nullsHaveTheMeaningOfTheClasses() throws {
    let gemma = try read(
      Gemma2Config.self,
      #"{"attn_logit_softcapping": null, "query_pre_attn_scalar": 224, "layer_types": null}"#)
    #expect(gemma.softCap == nil && gemma.queryScalar == 224 && gemma.layers[0] == .sliding)
    let qwen = try read(
      Qwen3Config.self, #"{"num_attention_heads": 6, "num_key_value_heads": null}"#)
    #expect(qwen.heads == .init(6, keys: 6, width: 128))
    expectError(Qwen3Config.self, #"{"hidden_size": null}"#, "`hidden_size` is null")
  }

  @Test(arguments: [
    (#""feed_forward_proj": "gated-gelu""#, Activation.geluNew, true),
    (#""feed_forward_proj": "gated-silu""#, .silu, true),
    (#""feed_forward_proj": "gelu""#, .gelu, false),
    (
      #""feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu", "is_gated_act": true"#, .gelu,
      true
    ),
    (#""dense_act_fn": "gelu_new", "is_gated_act": true"#, .geluNew, true),
  ])
  func mlpsOfT5(keys: String, activation: Activation, isGated: Bool) throws {
    let config = try read(T5Config.self, "{\(keys)}")
    #expect(config.activation == activation && config.isGated == isGated)
  }

  @Test func projectionsOfCLIP() throws {
    let with = #"{"architectures": ["CLIPTextModelWithProjection"], "projection_dim": 768}"#
    #expect(try read(CLIPTextConfig.self, with).projection == 768)
    #expect(try read(CLIPTextConfig.self, with).hasProjection)
    let without = #"{"architectures": ["CLIPTextModel"], "projection_dim": 768}"#
    #expect(try !read(CLIPTextConfig.self, without).hasProjection)
    let whole = try read(
      CLIPTextConfig.self,
      #"""
      {"architectures": ["CLIPTextModelWithProjection"], "model_type": "clip", "projection_dim": 9,
       "text_config": {"hidden_size": 768, "num_attention_heads": 12, "model_type":
       "clip_text_model", "eos_token_id": 2}, "vision_config": {"hidden_size": 1024}}
      """#)
    #expect(whole.width == 768 && whole.heads == 12 && whole.projection == 512 && whole.end == 2)
  }

  /// InternVL3's, in its own form and as transformers 5 writes it; and Qwen2.5's alone.
  @Test(arguments: [
    (
      #"{"model_type": "internvl_chat", "vision_config": {"hidden_size": 1024}, "llm_config": "#,
      "}"
    ),
    (#"{"model_type": "internvl", "llm_config": null, "text_config": "#, "}"), ("", ""),
  ])
  func qwen2(before: String, after: String) throws {
    let config = try read(
      Qwen2Config.self,
      before + #"""
        {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 1536,
         "intermediate_size": 8960, "num_attention_heads": 12, "num_hidden_layers": 28,
         "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "vocab_size": 151674,
         "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
         "use_sliding_window": false, "sliding_window": null, "max_window_layers": 70}
        """# + after)
    #expect(config.width == 1536 && config.heads == .init(12, keys: 2, width: 128))
    #expect(config.vocabulary == 151_674 && config.depth == 28 && config.theta == 1e6)
    #expect(config.attentionBias && config.window == nil && config.execution == .scanned)
    let written = try JSONEncoder().encode(config)
    #expect(try JSONDecoder().decode(Qwen2Config.self, from: written) == config)
  }

  @Test func whatChangesTheResultAndIsNotSupportedIsNamed() {
    let yarn = #"{"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}"#
    expectError(Qwen3Config.self, yarn, "`rope_scaling` is yarn")
    expectError(Gemma2Config.self, yarn, "`rope_scaling` is yarn")
    expectError(
      Qwen3Config.self, #"{"rope_parameters": {"full_attention": {"rope_theta": 1}}}"#,
      "full_attention")
    expectError(Qwen3Config.self, #"{"model_type": "qwen2"}"#, "only qwen3 is supported")
    expectError(
      Qwen3Config.self, #"{"rope_scaling": {"type": "dynamic"}}"#, "`rope_scaling` is dynamic")
    expectError(Qwen2Config.self, #"{"model_type": "qwen3"}"#, "only qwen2 or internvl_chat or")
    expectError(
      Qwen2Config.self,
      #"{"model_type": "internvl_chat", "llm_config": {"model_type": "internlm2"}}"#,
      "only qwen2 is supported")
    expectError(Qwen2Config.self, #"{"num_attention_heads": 7}"#, "divide half of `hidden_size`")
    expectError(Qwen3Config.self, #"{"num_key_value_heads": 3}"#, "must divide")
    expectError(Qwen3Config.self, #"{"head_dim": 7}"#, "even")
    expectError(Qwen3Config.self, #"{"hidden_act": "mish"}"#, "silu")
    expectError(Qwen3Config.self, #"{"rope_theta": 0}"#, "above 0")
    expectError(Qwen3Config.self, #"{"head_dim": 1048576}"#, "more features")
    expectError(Gemma2Config.self, #"{"use_bidirectional_attention": true}"#, "only false")
    expectError(Gemma2Config.self, #"{"sliding_window": null}"#, "no `sliding_window`")
    expectError(Gemma2Config.self, #"{"attn_logit_softcapping": 0}"#, "above 0")
    expectError(T5Config.self, #"{"is_decoder": true}"#, "only false")
    expectError(T5Config.self, #"{"model_type": "umt5"}"#, "only t5")
    expectError(T5Config.self, #"{"relative_attention_num_buckets": 3}"#, "from 4")
    expectError(T5Config.self, #"{"relative_attention_num_buckets": 512}"#, "a quarter")
    expectError(T5Config.self, #"{"feed_forward_proj": "gated-other"}"#, "gated-other")
    expectError(CLIPTextConfig.self, #"{"eos_token_id": [1, 2]}"#, "eos_token_id")
    expectError(CLIPTextConfig.self, #"{"num_attention_heads": 7}"#, "must divide")
    expectError(CLIPTextConfig.self, #"{"hidden_size": 500}"#, "must divide")
    expectError(CLIPTextConfig.self, "[]", "the file")
  }

  /// The published sizes have as many weights as the published checkpoints.
  @Test func weightsOfPublishedSizes() throws {
    func count<Encoder: TextEncoder>(_: Encoder.Type, _ json: String) throws -> Int {
      let config = try read(Encoder.Config.self, json)
      return Scope.declare { Encoder($0, config) }.elements
    }
    let qwen = #"""
      {"head_dim": 128, "hidden_size": 2560, "intermediate_size": 9728, "num_attention_heads": 32,
       "num_hidden_layers": 36, "num_key_value_heads": 8}
      """#
    #expect(try count(Qwen3.self, qwen) == 4_022_468_096)
    let qwen2 = #"""
      {"hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12,
       "num_hidden_layers": 28, "num_key_value_heads": 2}
      """#
    #expect(try count(Qwen2.self, qwen2) == 1_543_714_304)
    #expect(try count(Gemma2.self, "{}") == 2_614_341_888)
    let t5 = #"""
      {"d_ff": 10240, "d_kv": 64, "d_model": 4096, "num_heads": 64, "num_layers": 24,
       "feed_forward_proj": "gated-gelu"}
      """#
    #expect(try count(T5Encoder.self, t5) == 4_762_310_656)
    let projecting = #""architectures": ["CLIPTextModelWithProjection"]"#
    let large = #"""
      "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768
      """#
    #expect(try count(CLIPText.self, "{\(projecting), \(large)}") == 123_650_304)
    let giant = #"""
      "hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20,
      "num_hidden_layers": 32, "projection_dim": 1280, "hidden_act": "gelu"
      """#
    #expect(try count(CLIPText.self, "{\(projecting), \(giant)}") == 694_659_840)
  }
}
