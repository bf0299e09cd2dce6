import Runtime
import Foundation
import Layers
import Tensors
import TestSupport
import Testing
import Weights

@testable import Models

@Suite struct TextEncoderTests {
  static func qwen3() throws -> Qwen3Config {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 6, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "attention_bias": true,
       "use_sliding_window": true, "sliding_window": 3, "max_window_layers": 1}
      """)
  }
  static func qwen2() throws -> Qwen2Config {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 2, "num_key_value_heads": 1,
       "rope_scaling": {"factor": 2.0, "type": "dynamic"}}
      """)
  }
  static func qwen2_5VL() throws -> Qwen2_5VLConfig {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
       "rope_scaling": {"type": "mrope", "mrope_section": [1, 0, 1]}, "image_token_id": 7,
       "use_sliding_window": true, "sliding_window": 3, "max_window_layers": 1,
       "vision_config": {"depth": 5, "hidden_size": 16, "intermediate_size": 6, "num_heads": 2,
        "out_hidden_size": 16, "patch_size": 2, "window_size": 8, "fullatt_block_indexes": [2, 4]}}
      """)
  }
  static func gemma2() throws -> Gemma2Config {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 6, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 4, "sliding_window": 3,
       "query_pre_attn_scalar": 4}
      """)
  }
  static func t5() throws -> T5Config {
    try read(
      """
      {"vocab_size": 11, "d_model": 6, "d_ff": 8, "num_layers": 3, "num_heads": 4, "d_kv": 2,
       "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 6,
       "relative_attention_max_distance": 5}
      """)
  }
  static func bert() throws -> BertConfig {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 6, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 3, "max_position_embeddings": 9}
      """)
  }
  static func clip() throws -> CLIPTextConfig {
    try read(
      """
      {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3,
       "num_attention_heads": 2, "max_position_embeddings": 9, "projection_dim": 4,
       "eos_token_id": 10, "architectures": ["CLIPTextModelWithProjection"]}
      """)
  }

  private static func read<Config: Decodable>(_ json: String) throws -> Config {
    try JSONDecoder().decode(Config.self, from: Data(json.utf8))
  }

  static let tokens = Numbers([1, 4, 7, 2, 10, 0, 0, 3, 3, 9, 10, 10, 5, 6], [2, 7], .int32)
  static let valid = Numbers([1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1], [2, 7], .bool)

  /// The last, a hidden and the pooled state on random weights.
  private func run<Encoder: TextEncoder>(
    _: Encoder.Type, _ config: Encoder.Config, tokens: Numbers = tokens, valid: Numbers? = valid,
    hidden: [Int] = [2], in dtype: DType = .float32
  ) throws -> Named<Numbers> {
    let weights = Scope.declare { Encoder($0, config) }.random()
    var given = weights.prefixed("weights")
    given["tokens"] = tokens
    given["valid"] = valid
    return try evaluate(given) { given in
      let encoder = Scope.bind(given.group("weights")) { Encoder($0, config) }
      let encoding = encoder(
        given["tokens"]!, valid: given["valid"], hidden: hidden, in: dtype)
      var results = Named([("last", encoding.last)])
      for number in hidden { results["hidden_\(number)"] = encoding.hidden[number]! }
      results["pooled"] = encoding.pooled
      results["projected"] = encoding.projected
      return results
    }
  }

  /// Runs a test on all encoders.
  private func all(
    _ body: (_ name: String, _ run: (Numbers, Numbers?, [Int], DType) throws -> Named<Numbers>)
      throws -> Void
  ) throws {
    try body("Qwen3") {
      try run(Qwen3.self, Self.qwen3(), tokens: $0, valid: $1, hidden: $2, in: $3)
    }
    try body("Qwen2") {
      try run(Qwen2.self, Self.qwen2(), tokens: $0, valid: $1, hidden: $2, in: $3)
    }
    try body("Qwen2.5-VL") {
      try run(Qwen2_5VL.self, Self.qwen2_5VL(), tokens: $0, valid: $1, hidden: $2, in: $3)
    }
    try body("Gemma2") {
      try run(Gemma2.self, Self.gemma2(), tokens: $0, valid: $1, hidden: $2, in: $3)
    }
    try body("T5") { try run(T5Encoder.self, Self.t5(), tokens: $0, valid: $1, hidden: $2, in: $3) }
    try body("BERT") { try run(Bert.self, Self.bert(), tokens: $0, valid: $1, hidden: $2, in: $3) }
    try body("CLIP") {
      try run(CLIPText.self, Self.clip(), tokens: $0, valid: $1, hidden: $2, in: $3)
    }
  }

  @Test func howeverLayersAreRunTheResultIsTheSame() throws {
    func compare<Encoder: TextEncoder>(
      _: Encoder.Type, _ config: Encoder.Config,
      _ execution: WritableKeyPath<Encoder.Config, StackExecution>
    ) throws {
      let results = try StackExecution.allCases.map { kind in
        var config = config
        config[keyPath: execution] = kind
        return try run(Encoder.self, config)
      }
      for other in results.dropFirst() {
        #expect(other.names == results[0].names)
        for (name, value) in other.pairs {
          expectClose(value, results[0][name]!, relative: 1e-5, absolute: 1e-6, "\(Encoder.self)")
        }
      }
    }
    try compare(Qwen3.self, Self.qwen3(), \.execution)
    try compare(Qwen2.self, Self.qwen2(), \.execution)
    try compare(Qwen2_5VL.self, Self.qwen2_5VL(), \.execution)
    try compare(Gemma2.self, Self.gemma2(), \.execution)
    try compare(T5Encoder.self, Self.t5(), \.execution)
    try compare(Bert.self, Self.bert(), \.execution)
    try compare(CLIPText.self, Self.clip(), \.execution)
  }

  /// The other samples of a batch and the padding behind a text change nothing.
  @Test func textsAreEncodedEachByItself() throws {
    try all { name, run in
      let batch = try run(Self.tokens, Self.valid, [2], .float32)
      let alone = try run(
        Numbers(Array(Self.tokens.values[..<5]), [1, 5], .int32), nil, [2], .float32)
      for state in ["last", "hidden_2"] {
        let found = batch[state]!.row(0)
        expectClose(
          Array(found.values[..<alone[state]!.count]), alone[state]!.values, relative: 1e-4,
          absolute: 1e-5, "\(name) \(state)")
      }
    }
  }

  @Test func hiddenStatesAreNumberedAsPublished() throws {
    try all { name, run in
      let results = try run(Self.tokens, Self.valid, [0, 1, 3], .float32)
      let isSame = results["hidden_3"] == results["last"]
      // CLIP's hidden states do not pass the final norm.
      #expect(isSame == (name != "CLIP"), "\(name)")
      #expect(results["hidden_0"] != results["hidden_1"])
    }
  }

  /// Z-Image takes the state before the last layer: the program ends there.
  @Test(arguments: StackExecution.allCases) func layersThatNobodyUsesAreNotRun(
    _ execution: StackExecution
  ) throws {
    var config = try Self.qwen3()
    config.execution = execution
    let specs = Scope.declare { Qwen3($0, config) }
    let types = specs.types().merging(Named([("tokens", Self.tokens.type)]))
    func size(hidden: [Int], _ result: (TextEncoding) -> Tensor) -> Int {
      let program = Program(types) { given in
        let encoder = Scope.bind(given.filter { $0 != "tokens" }) { Qwen3($0, config) }
        return Named([("result", result(encoder(given["tokens"]!, hidden: hidden)))])
      }
      return program.text.components(separatedBy: "stablehlo.dot_general").count - 1
    }
    let sizes = (0...2).map { number in size(hidden: [number]) { $0.hidden[number]! } }
    #expect(sizes[0] == 0)
    // A loop is one layer's worth of text, however many rounds it has.
    #expect(sizes[2] == (execution == .unrolled ? 2 * sizes[1] : sizes[1]))
    #expect(size(hidden: [2]) { $0.last } > sizes[2])
  }

  @Test func halfPrecisionStaysHalf() throws {
    try all { name, run in
      let half = try run(Self.tokens, Self.valid, [2], .bfloat16)
      let single = try run(Self.tokens, Self.valid, [2], .float32)
      for (state, value) in half.pairs {
        #expect(value.dtype == .bfloat16, "\(name) \(state)")
        let wide = single[state]!.values
        let difference = zip(value.values, wide).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let norm = wide.reduce(0) { $0 + $1 * $1 }
        #expect((difference / norm).squareRoot() < 0.1, "\(name) \(state)")
      }
    }
  }

  /// The pooled state is that of the first end, of the largest id for old configs, or the first.
  @Test(arguments: [(10, [4, 3]), (2, [4, 3]), (7, [2, 0])])
  func endsOfTexts(_ end: Int, _ places: [Int]) throws {
    var config = try Self.clip()
    config.end = end
    let results = try run(CLIPText.self, config)
    let (last, pooled) = (results["last"]!, results["pooled"]!)
    for (row, place) in places.enumerated() {
      #expect(pooled.row(row).values == (0..<8).map { last[row, place, $0] })
    }
    config.hasProjection = false
    #expect(try run(CLIPText.self, config)["projected"] == nil)
  }

  /// By `T5Attention._relative_position_bucket` of transformers.
  @Test func bucketsOfDistances() {
    func buckets(_ distances: [Int], _ count: Int, _ farthest: Int) -> [Int] {
      distances.map { RelativeBias.bucket($0, of: count, farthest: farthest) }
    }
    let far = [-200, -128, -64, -32, -16, -9, -8, -1, 0, 1, 7, 8, 11, 12, 16, 63, 64, 300]
    #expect(
      buckets(far, 32, 128) == [15, 15, 14, 12, 10, 8, 8, 1, 0, 17, 23, 24, 24, 25, 26, 29, 30, 31])
    #expect(
      buckets(Array(-9...9), 12, 27) == [
        4, 4, 4, 3, 3, 3, 3, 2, 1, 0, 7, 8, 9, 9, 9, 9, 10, 10, 10,
      ])
    #expect(
      buckets(Array(-9...9), 7, 4) == [2, 2, 2, 2, 2, 2, 2, 2, 1, 0, 4, 5, 5, 5, 5, 5, 5, 5, 5])
  }

  /// A checkpoint as an encoder's table names it: written and read again.
  private func roundTrip<Encoder: TextEncoder>(
    _: Encoder.Type, _ config: Encoder.Config, _ names: NameMap, further: [String] = []
  ) throws -> [String] {
    let client = try SharedClient.get()
    let specs = Scope.declare { Encoder($0, config) }
    var written = try specs.random().mapValues {
      try ShardedArray($0.values.map { Float($0) }, shape: Shape($0.shape), on: client)
    }
    let path = NSTemporaryDirectory() + "encoder-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFiles.write(parameters: written, names: names, to: path)
    let disk = try WeightFiles(path: path).types.names
    // What a checkpoint has beside the encoder is left alone.
    for name in further {
      written[name] = try ShardedArray([Float](repeating: 0, count: 2), shape: [2], on: client)
    }
    try WeightFiles.write(parameters: written, names: names, to: path)
    let files = try WeightFiles(path: path)
    let read = try WeightLoader(client).load(
      specs, from: files, names: config.names(in: files.types.names), as: { _ in nil },
      ignoring: config.ignores)
    for (name, array) in read.pairs {
      #expect(try array.array(of: Float.self) == written[name]!.array(of: Float.self), "\(name)")
    }
    return disk.sorted()
  }

  @Test func namesOfLanguageModels() throws {
    let attention = ["q_proj", "k_proj", "v_proj", "o_proj"].map { "self_attn.\($0)" }
    let mlp = ["gate_proj", "up_proj", "down_proj"].map { "mlp.\($0)" }
    let norms = ["input_layernorm", "post_attention_layernorm"]
    func all(_ layer: [String]) -> [String] {
      let layers = (0..<3).flatMap { i in layer.map { "layers.\(i).\($0)" } }
      return (["embed_tokens.weight", "norm.weight"] + layers).sorted()
    }
    let qwen =
      attention.flatMap { ["\($0).weight", "\($0).bias"] }
      + (mlp + norms + ["self_attn.q_norm", "self_attn.k_norm"]).map { "\($0).weight" }
    let gemma =
      (attention + mlp + norms + ["pre_feedforward_layernorm", "post_feedforward_layernorm"])
      .map { "\($0).weight" }
    let layouts = try Self.qwen3().layouts
    #expect(try roundTrip(Qwen3.self, Self.qwen3(), layouts[0]) == all(qwen))
    #expect(
      try roundTrip(Qwen3.self, Self.qwen3(), layouts[1]) == all(qwen).map { "model.\($0)" })
    let language =
      attention.flatMap {
        $0.hasSuffix("o_proj") ? ["\($0).weight"] : ["\($0).weight", "\($0).bias"]
      }
      + (mlp + norms).map { "\($0).weight" }
    for layout in try Self.qwen2_5VL().layouts {
      let vision = ["", "model."].contains(layout.prefix) ? ["visual.merger.ln_q.weight"] : []
      #expect(
        try roundTrip(
          Qwen2_5VL.self, Self.qwen2_5VL(), layout, further: vision + ["lm_head.weight"])
          == all(language).map { layout.prefix + $0 })
    }
    for layout in try Self.qwen2().layouts {
      let vision = layout.prefix.isEmpty ? ["mlp1.0.weight"] : []
      #expect(
        try roundTrip(
          Qwen2.self, Self.qwen2(), layout, further: vision + ["lm_head.weight"])
          == all(language).map { layout.prefix + $0 })
    }
    #expect(
      try roundTrip(Gemma2.self, Self.gemma2(), Self.gemma2().names, further: ["lm_head.weight"])
        == all(gemma))
  }

  @Test func namesOfT5() throws {
    let block = [
      "layer.0.SelfAttention.k.weight", "layer.0.SelfAttention.o.weight",
      "layer.0.SelfAttention.q.weight", "layer.0.SelfAttention.v.weight",
      "layer.0.layer_norm.weight", "layer.1.DenseReluDense.wi_0.weight",
      "layer.1.DenseReluDense.wi_1.weight", "layer.1.DenseReluDense.wo.weight",
      "layer.1.layer_norm.weight",
    ]
    let bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    let blocks = (0..<3).flatMap { i in block.map { "encoder.block.\(i).\($0)" } }
    let rest = [bias, "encoder.final_layer_norm.weight"]
    let further = ["decoder.block.0.layer_norm.weight", "encoder.embed_tokens.weight"]
    #expect(
      try roundTrip(T5Encoder.self, Self.t5(), Self.t5().names, further: further)
        == (blocks + rest + ["shared.weight"]).sorted())
    #expect(
      try roundTrip(T5Encoder.self, Self.t5(), Self.t5().layouts[1])
        == (blocks + rest + ["encoder.embed_tokens.weight"]).sorted())
    var plain = try Self.t5()
    plain.isGated = false
    let names = Scope.declare { T5Encoder($0, plain) }.names.filter { $0.contains("Dense") }
    #expect(names == ["wi", "wo"].map { "encoder.block.*.layer.1.DenseReluDense.\($0).weight" })
  }

  @Test func namesOfCLIP() throws {
    let maps = ["k_proj", "out_proj", "q_proj", "v_proj"].map { "self_attn.\($0)" }
    let layer = (maps + ["layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"])
      .flatMap { ["\($0).bias", "\($0).weight"] }
    let inner =
      ["embeddings.position_embedding.weight", "embeddings.token_embedding.weight"]
      + (0..<3).flatMap { i in layer.map { "encoder.layers.\(i).\($0)" } }
      + ["final_layer_norm.bias", "final_layer_norm.weight"]
    let further = ["text_model.embeddings.position_ids", "logit_scale", "vision_model.x"]
    #expect(
      try roundTrip(CLIPText.self, Self.clip(), Self.clip().names, further: further)
        == (inner.map { "text_model.\($0)" } + ["text_projection.weight"]).sorted())
    var plain = try Self.clip()
    plain.hasProjection = false
    #expect(
      try roundTrip(CLIPText.self, plain, plain.layouts[1], further: ["text_projection.weight"])
        == inner.sorted())
  }
}
