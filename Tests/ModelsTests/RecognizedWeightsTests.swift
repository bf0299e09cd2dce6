import Foundation
import Layers
import Models
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

/// Files without a `config.json`, and what they hold.
@Suite struct RecognizedWeightsTests {
  /// A layout of a network's checkpoints.
  struct Layout: CustomTestStringConvertible {
    let model: ModelConfig
    let names: NameMap
    let testDescription: String
  }

  static func layouts(_ configs: [any PublishedTransformer]) -> [Layout] {
    configs.flatMap { config in
      // The further layouts of most differ in the names of the second embedder.
      let layouts = config.layouts
      let plain = config is SanaConfig ? layouts.count : max(1, layouts.count / 2)
      let used = config.hasTargetTime ? layouts : Array(layouts.prefix(plain))
      return used.enumerated().map { number, names in
        let targets = config.hasTargetTime ? ", two times" : ""
        return Layout(
          model: ModelConfig(config), names: names,
          testDescription: "\(type(of: config).kind), layout \(number)\(targets)")
      }
    }
  }

  /// Tiny networks, and networks as published.
  static let tiny = layouts(
    oneAndTwoTimes([
      QwenImageTests.config, ZImageTests.config, SD3Tests.config, SanaTests.config,
    ]))
  static let published = layouts(
    oneAndTwoTimes([
      QwenImageConfig(), ZImageConfig(), SD3Config(), SD3Tests.large, SanaConfig(), SanaTests.small,
    ]))

  private static func oneAndTwoTimes(
    _ configs: [any PublishedTransformer]
  ) -> [any PublishedTransformer] { configs.map(single) + configs.map(released) }

  private static func single(_ config: any PublishedTransformer) -> any PublishedTransformer {
    var config = config
    config.hasTargetTime = false
    return config
  }

  private static func released(_ config: any PublishedTransformer) -> any PublishedTransformer {
    var config = single(config)
    config.hasTargetTime = true
    return config
  }

  @Test("Published sizes are recognized by names and shapes alone", arguments: published)
  func publishedSizes(_ layout: Layout) throws {
    let types = types(layout.model, layout.names)
    let found = try #require(try RecognizedWeights(types, path: "a file"))
    guard case .network(let model, let names) = found else {
      Issue.record("\(found)")
      return
    }
    #expect(model == layout.model && names == layout.names)
  }

  @Test("Weights of every layout are read as they were written", arguments: tiny)
  func roundTrip(_ layout: Layout) throws {
    let client = try SharedClient.get()
    let written = try layout.model.weights.random().mapValues {
      try ShardedArray($0.values.map { Float($0) }, shape: Shape($0.shape), on: client)
    }
    let folder = try TemporaryFolder()
    let path = folder.path + "/weights.safetensors"
    try WeightFiles.write(parameters: written, names: layout.names, to: path)
    let files = try WeightFiles(path: path)
    // Sizes of rotary axes or heads that no published network has come from another config.
    if layout.model.kind != SD3Config.kind {
      let error = #expect(throws: PublishedConfigError.self) {
        try RecognizedWeights(files.types, path: path)
      }
      let isSana = layout.model.kind == SanaConfig.kind
      let unknown = isSana ? "features are unknown" : "unknown rotary axes"
      #expect(error?.description.contains(unknown) == true)
    }
    let base = ModelConfig(Self.other(layout.model.architecture))
    let found = try RecognizedWeights(files.types, like: base, path: path)
    guard case .network(let model, let names) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect(model == layout.model && names == layout.names)
    #expect(names == model.names(in: files.types.names))
    let read = try WeightLoader(client).load(
      model.weights, from: files, names: names, as: { _ in nil }, ignoring: model.ignores)
    #expect(read.names == written.names)
    for (name, array) in read.pairs {
      #expect(try array.bytes() == written[name]!.bytes(), "\(name)")
    }
  }

  /// A network of the same kind, heads and execution, and of other sizes.
  private static func other(_ architecture: any Architecture) -> any Architecture {
    if var config = architecture as? SD3Config {
      (config.depth, config.textWidth, config.hasTargetTime) = (3, 5, false)
      (config.dualLayers, config.positionTable) = ([], 3)
      return config
    }
    if var config = architecture as? SanaConfig {
      (config.depth, config.textWidth, config.hasTargetTime) = (3, 5, false)
      (config.heads, config.crossWidth, config.mlpRatio) = (2, 64, 1)
      return config
    }
    if var config = architecture as? ZImageConfig {
      (config.depth, config.textWidth, config.times) = (1, 5, .plain)
      (config.width, config.heads, config.refinerDepth) = (8, 1, 2)
      return config
    }
    guard var config = architecture as? QwenImageConfig else { return architecture }
    (config.depth, config.textWidth, config.heads, config.hasTargetTime) = (1, 5, 1, false)
    return config
  }

  @Test func namesOfTheOriginalZImage() {
    var config = ZImageTests.config
    config.times = .plain
    let block = [
      "attention.k_norm.weight", "attention.out.weight", "attention.q_norm.weight",
      "attention.qkv.weight", "attention_norm1.weight", "attention_norm2.weight",
      "feed_forward.w1.weight", "feed_forward.w2.weight", "feed_forward.w3.weight",
      "ffn_norm1.weight", "ffn_norm2.weight",
    ]
    let modulation = ["adaLN_modulation.0.bias", "adaLN_modulation.0.weight"]
    let stacks = ["context_refiner.0": block]
      .merging(["layers.0", "layers.1", "noise_refiner.0"].map { ($0, block + modulation) }) {
        $1
      }
    let rest = [
      "cap_embedder.0.weight", "cap_embedder.1.bias", "cap_embedder.1.weight", "cap_pad_token",
      "final_layer.adaLN_modulation.1.bias", "final_layer.adaLN_modulation.1.weight",
      "final_layer.linear.bias", "final_layer.linear.weight", "t_embedder.mlp.0.bias",
      "t_embedder.mlp.0.weight", "t_embedder.mlp.2.bias", "t_embedder.mlp.2.weight",
      "x_embedder.bias", "x_embedder.weight", "x_pad_token",
    ]
    let expected = (rest + stacks.flatMap { stack, names in names.map { "\(stack).\($0)" } })
    let types = types(ModelConfig(config), config.layouts[1])
    #expect(types.names.sorted() == expected.sorted())
    #expect(types["layers.1.attention.qkv.weight"]?.shape == [72, 24])
    let comfy = self.types(ModelConfig(config), config.layouts[3])
    #expect(comfy.names.sorted() == expected.map { "model.diffusion_model.\($0)" }.sorted())
  }

  @Test func namesOfTheOriginalSD3() throws {
    var config = SD3Tests.config
    config.hasTargetTime = false
    func block(_ number: Int, isDual: Bool, isLast: Bool) -> [String] {
      var names: [String] = []
      for (stream, hasOutput) in [("x_block", true), ("context_block", !isLast)] {
        var maps = ["attn.qkv", "adaLN_modulation.1"]
        if hasOutput { maps += ["attn.proj", "mlp.fc1", "mlp.fc2"] }
        if isDual, stream == "x_block" { maps += ["attn2.qkv", "attn2.proj"] }
        for map in maps { names += ["\(stream).\(map).weight", "\(stream).\(map).bias"] }
        names += ["ln_q", "ln_k"].map { "\(stream).attn.\($0).weight" }
      }
      if isDual { names += ["ln_q", "ln_k"].map { "x_block.attn2.\($0).weight" } }
      return names.map { "joint_blocks.\(number).\($0)" }
    }
    var expected = ["pos_embed"]
    for map in [
      "x_embedder.proj", "t_embedder.mlp.0", "t_embedder.mlp.2", "y_embedder.mlp.0",
      "y_embedder.mlp.2", "context_embedder", "final_layer.linear",
      "final_layer.adaLN_modulation.1",
    ] { expected += ["\(map).weight", "\(map).bias"] }
    expected += (0..<4).flatMap { block($0, isDual: $0 % 2 == 1, isLast: $0 == 3) }
    let types = types(ModelConfig(config), config.layouts[1])
    #expect(types.names.sorted() == expected.sorted())
    #expect(types["joint_blocks.2.context_block.attn.qkv.weight"]?.shape == [72, 24])
    // A file of a whole model has the autoencoder too.
    #expect(config.ignores("first_stage_model.decoder.conv_in.weight"))
    #expect(!config.ignores("model.diffusion_model.pos_embed"))
  }

  @Test("The original modulations without a gate have shift before scale")
  func halvesAreSwapped() throws {
    let client = try SharedClient.get()
    let config = SD3Tests.config
    let name = "norm_out.linear.bias"
    let values = (0..<48).map { Float($0) }
    let specs = ModelConfig(config).weights.filter { $0 == name }
    let folder = try TemporaryFolder()
    let path = folder.path + "/weights.safetensors"
    try WeightFiles.write(
      parameters: Named([(name, try ShardedArray(values, shape: [48], on: client))]),
      names: config.layouts[1], to: path)
    let files = try WeightFiles(path: path)
    let stored = files.bytes("final_layer.adaLN_modulation.1.bias", Region(whole: [48]))
    let found = stored.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(found == Array(values[24...] + values[..<24]))
    let read = try WeightLoader(client).load(
      specs, from: files, names: config.layouts[1], as: { _ in nil })
    #expect(try read[name]!.array(of: Float.self) == values)
  }

  @Test func marksOfOtherProgramsAreKnown() throws {
    let qwen = ModelConfig(QwenImageConfig())
    var types = types(qwen, QwenImageConfig().layouts[1])
    let mark = "model.diffusion_model.__index_timestep_zero__"
    types[mark] = TensorType([0], .float32)
    var clean = QwenImageConfig()
    clean.hasCleanReferences = true
    guard case .network(let model, _) = try RecognizedWeights(types, path: "a file") else {
      Issue.record("the network is not recognized")
      return
    }
    #expect(model == ModelConfig(clean) && model.ignores(mark))
    #expect(!model.ignores("model.diffusion_model.img_in.weight"))
    #expect(ModelConfig(ZImageConfig()).ignores("norm_final.weight"))
    #expect(!ModelConfig(DiTConfig()).ignores("norm_final.weight"))
  }

  @Test(arguments: [
    (["t_embedder_2.mlp.0", "t_embedder_2.mlp.2"], "z_image"),
    (["mlp.0", "mlp.2"].map { "model.diffusion_model.t_embedder_2.\($0)" }, "z_image"),
    (["mlp.0", "mlp.2"], "z_image"),
    (["mlp.0", "mlp.2"].map { "extended_weights.t_embedder_2.\($0)" }, "z_image"),
    (
      ["linear_1", "linear_2"].map { "transformer.time_text_embed_2.timestep_embedder.\($0)" },
      "qwen_image"
    ),
    (
      [
        "time_text_embed_2.timestep_embedder.linear_1",
        "time_text_embed_2.timestep_embedder.linear_2",
      ], "qwen_image"
    ),
    (["timestep_embedder.linear_1", "timestep_embedder.linear_2"], "qwen_image"),
  ])
  func secondEmbeddersAlone(_ maps: [String], _ kind: String) throws {
    let disk = maps.flatMap { ["\($0).weight", "\($0).bias"] }
    let types = Named(disk.map { ($0, TensorType([1], .bfloat16)) })
    guard case .targetEmbedder(let found, let names) = try RecognizedWeights(types, path: "a file")
    else {
      Issue.record("\(maps) are not recognized")
      return
    }
    #expect(found.kind == kind)
    let parameters =
      kind == "z_image"
      ? Self.released(ZImageConfig()).targetEmbedderSpecs
      : Self.released(QwenImageConfig()).targetEmbedderSpecs
    #expect(parameters.count == 4)
    #expect(Set(parameters.names.map(names.diskName)) == Set(disk))
    // Part of an embedder is none.
    #expect(try RecognizedWeights(types.filter { $0 != disk[0] }, path: "a file") == nil)
  }

  @Test func otherNetworksAreNotRecognized() throws {
    let dit = ModelConfig(DiTConfig())
    #expect(try RecognizedWeights(types(dit, dit.names), path: "a file") == nil)
    #expect(try RecognizedWeights(Named(), path: "a file") == nil)
    // Lumina has no learned padding, SD3.5 no modulation of its own name.
    let zImage = ModelConfig(ZImageConfig())
    let lumina = types(zImage, ZImageConfig().layouts[1]).filter { !$0.hasSuffix("_pad_token") }
    #expect(try RecognizedWeights(lumina, path: "a file") == nil)
  }

  @Test(
    arguments: [
      ("x_embedder.weight", [1 << 21, 64], "`dim` is 2097152"),
      ("x_embedder.weight", nil, "it has no x_embedder.weight"),
      ("x_embedder.weight", [3840, 63], "its 63 input features are no patches of 2²"),
      ("x_embedder.weight", [3840], "2 axes were expected"),
      ("layers.0.attention.q_norm.weight", [96], "heads of 96 features"),
      ("siglip_embedder.0.weight", [1152], "its siglip_embedder.0.weight embeds pictures"),
      (
        "noise_refiner.0.attention.out.weight", nil,
        "it has no noise_refiner.0.attention.out.weight"
      ),
    ] as [(String, [Int]?, String)])
  func unknownSizesAreNamed(_ array: String, _ shape: [Int]?, _ hint: String) throws {
    var types = types(ModelConfig(ZImageConfig()), ZImageConfig().layouts[1])
    types[array] = shape.map { TensorType(Shape($0), .bfloat16) }
    let error = #expect(throws: PublishedConfigError.self) {
      try RecognizedWeights(types, path: "a file")
    }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  /// The arrays of a network's checkpoint.
  private func types(_ model: ModelConfig, _ names: NameMap) -> Named<TensorType> {
    let shapes = model.weights.mapValues(\.shape)
    var types = Named<TensorType>()
    for name in shapes.names {
      for piece in names.pieces(of: name, shapes: shapes) {
        types[piece.disk] = TensorType(Shape(piece.diskShape), .bfloat16)
      }
    }
    return types
  }
}
