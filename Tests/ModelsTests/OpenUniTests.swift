import Foundation
import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

/// OpenUni's language model with learned queries, and its connector.
@Suite struct OpenUniTests {
  private static let config: OpenUniConnectorConfig = {
    var config = OpenUniConnectorConfig()
    (config.width, config.hidden, config.depth, config.heads) = (8, 12, 2, 2)
    (config.queries, config.outputWidth) = (3, 6)
    return config
  }()
  private static let weights = Scope.declare { OpenUniConnector($0, config) }

  @Test func declaresThePublishedWeights() {
    func linear(_ name: String, _ input: Int, _ output: Int, layers: String = "") -> [String] {
      ["\(name).weight [\(layers)\(output), \(input)]", "\(name).bias [\(layers)\(output)]"]
    }
    let layer = "connector.layers.*"
    let norms = ["layer_norm1", "layer_norm2"].flatMap { norm in
      ["weight", "bias"].map { "\(layer).\(norm).\($0) [2, 8]" }
    }
    let maps = ["q_proj", "k_proj", "v_proj", "out_proj"].flatMap {
      linear("\(layer).self_attn.\($0)", 8, 8, layers: "2, ")
    }
    let expected =
      ["meta_queries [3, 8]"] + linear("projector", 8, 6) + norms + maps
      + linear("\(layer).mlp.fc1", 8, 12, layers: "2, ")
      + linear("\(layer).mlp.fc2", 12, 8, layers: "2, ")
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  /// 6 layers of 4 × 1536² and 2 × 1536 × 8960 with their biases and norms, the map to 2304 features, and
  /// 256 queries.
  @Test func publishedSizes() {
    let specs = Scope.declare { OpenUniConnector($0, OpenUniConnectorConfig()) }
    let (width, hidden) = (1536, 8960)
    let layer =
      4 * (width * width + width) + (width * hidden + hidden) + (hidden * width + width)
      + 4 * width
    #expect(specs.elements == 6 * layer + (width * 2304 + 2304) + 256 * width)
  }

  @Test func sizesFollowFromShapes() throws {
    var config = OpenUniConnectorConfig()
    #expect(try found(types(config)) == config)
    // OpenUni-B's.
    (config.width, config.hidden, config.heads) = (896, 3072, 14)
    #expect(try found(types(config)) == config)
    // Within the transformer, as TwinFlow's code has them, beside other parts of the network.
    var other = Named(
      types(config).pairs.map { name, type in
        (name == "meta_queries" ? name : "transformer." + name, type)
      })
    other["transformer.transformer.proj_out.weight"] = TensorType([2, 2], .bfloat16)
    #expect(try found(other) == config)
    #expect(OpenUniConnectorConfig.isIn(other.names))
    #expect(OpenUniConnectorConfig.ignores("transformer.transformer.proj_out.weight"))
    #expect(!OpenUniConnectorConfig.isIn(["transformer.proj_out.weight", "lmm.mlp1.0.weight"]))
  }

  @Test func whatIsNoConnectorIsNamed() throws {
    let whole = types(OpenUniConnectorConfig())
    func expect(_ hint: String, _ change: (inout Named<TensorType>) -> Void) {
      var arrays = whole
      change(&arrays)
      let error = #expect(throws: PublishedConfigError.self) { try found(arrays) }
      #expect(error?.description.contains(hint) == true, "\(error.map { "\($0)" } ?? "")")
    }
    expect("it has no meta_queries") { $0["meta_queries"] = nil }
    expect("it has no connector.layers.0.layer_norm1.weight") {
      $0 = $0.filter { !$0.hasPrefix("connector.") }
    }
    expect("its projector.weight is [2304, 1024]") {
      $0["projector.weight"] = TensorType([2304, 1024], .bfloat16)
    }
    expect("a projector before the connector") {
      $0["projector.0.weight"] = TensorType([2, 2], .bfloat16)
    }
    var odd = OpenUniConnectorConfig()
    (odd.width, odd.heads) = (1000, 10)
    let arrays = types(odd)
    let error = #expect(throws: PublishedConfigError.self) { try found(arrays) }
    #expect(error?.reason.contains("the heads of its 1000 features are unknown") == true)
  }

  @Test func configsAreRead() throws {
    let written = try JSONEncoder().encode(Self.config)
    func read(_ json: String) throws -> OpenUniConnectorConfig {
      try JSONDecoder().decode(OpenUniConnectorConfig.self, from: Data(json.utf8))
    }
    #expect(try read(String(decoding: written, as: UTF8.self)) == Self.config)
    #expect(try read("{}") == OpenUniConnectorConfig())
    for (json, hint) in [
      (#"{"proj_type": "proj_enc"}"#, "only enc_proj is supported"),
      (#"{"num_attention_heads": 7}"#, "must divide `hidden_size`"),
      (#"{"num_queries": 0}"#, "num_queries"), (#"{"hidden_act": "mish"}"#, "hidden_act"),
    ] {
      let error = #expect(throws: (any Error).self) { try read(json) }
      #expect(error.map { "\($0)" }?.contains(hint) == true, "\(error.map { "\($0)" } ?? "")")
    }
  }

  @Test("However the layers are run, the features are the same, and every weight has a part")
  func executions() throws {
    var given = Self.weights.random().prefixed("weights")
    given["states"] = .random([2, 3, 8], seed: 4, .float32)
    given["x"] = .random([2, 3, 6], seed: 5, .float32)
    let gradients = try expectEqualExecutions(given, relative: 1e-4) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      let connector = Scope.bind(weights) { OpenUniConnector($0, config) }
      return connector(inputs["states"]! + connector.queries)
    }
    // A shift of all keys does not change the weights of attention.
    for (name, gradient) in gradients.pairs where !name.hasSuffix("k_proj.bias") {
      #expect(gradient.values.contains { abs($0) > 1e-7 }, "the gradient of \(name)")
    }
  }

  @Test("Queries see their own text and no padding, behind the text and whatever stands beside it")
  func queries() throws {
    let config = try TextEncoderTests.qwen2()
    var given = Scope.declare { Qwen2($0, config) }.random().prefixed("weights")
    given["queries"] = .random([3, 8], seed: 9, .float32)
    given["tokens"] = TextEncoderTests.tokens
    given["valid"] = TextEncoderTests.valid
    let results = try evaluate(given) { given in
      let model = Scope.bind(given.group("weights")) { Qwen2($0, config) }
      func states(_ tokens: Tensor, _ valid: Tensor, _ queries: Tensor? = nil) -> Tensor {
        model(tokens, valid: valid, followedBy: queries ?? given["queries"]!)
      }
      let (tokens, valid) = (given["tokens"]!, given["valid"]!)
      let (first, all) = (tokens[0..<1].slice(1, 0..<5), valid[1..<2].slice(1, 0..<5))
      // What the language model makes of the same embeddings in one sequence.
      let last = model(
        .concatenate([first, first.slice(1, 0..<1)], axis: 1),
        valid: .concatenate([all, all.slice(1, 0..<1)], axis: 1), in: .float32
      ).last.slice(1, 5..<6)
      return Named([
        ("batch", states(tokens, valid)), ("alone", states(first, all)),
        ("other padding", states(tokens + (1 - valid.cast(to: .int32)) * 3, valid)),
        (
          "swapped",
          states(
            tokens, valid,
            .concatenate((0..<3).reversed().map { given["queries"]![$0..<$0 + 1] }))
        ),
        (
          "as a token",
          states(first, all, given["weights.embed_tokens.weight"]!.slice(0, 1..<2))
        ), ("the token", last),
      ])
    }
    let batch = results["batch"]!
    #expect(batch.shape == [2, 3, 8])
    expectClose(
      batch.row(0).values, results["alone"]!.values, relative: 1e-4, absolute: 1e-5)
    expectClose(batch, results["other padding"]!, relative: 1e-5, absolute: 1e-6)
    #expect(results["swapped"] != batch)
    expectClose(
      results["as a token"]!, results["the token"]!, relative: 1e-4, absolute: 1e-5)
  }

  private func types(_ config: OpenUniConnectorConfig) -> Named<TensorType> {
    let specs = Scope.declare { OpenUniConnector($0, config) }
    let shapes = specs.mapValues(\.shape)
    return Named(
      specs.pairs.flatMap { name, _ in
        NameMap().pieces(of: name, shapes: shapes).map {
          ($0.disk, TensorType(Shape($0.diskShape), .bfloat16))
        }
      })
  }

  private func found(_ arrays: Named<TensorType>) throws -> OpenUniConnectorConfig {
    try OpenUniConnectorConfig(arrays, path: "a file")
  }
}
