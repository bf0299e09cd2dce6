import Foundation
import Layers
import Models
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

/// The start of training from checkpoints that have no second time embedder.
@Suite struct WarmStartTests {
  static let configs: [any PublishedTransformer] = [
    QwenImageTests.config, ZImageTests.config, SD3Tests.config,
  ]

  /// A checkpoint of a network, and what is read from it for the start of training.
  private func start(
    _ config: any PublishedTransformer, layout: Int = 0, without missing: (String) -> Bool
  ) throws -> (
    start: WarmStart, written: Named<ShardedArray>, read: () throws -> Named<ShardedArray>
  ) {
    let client = try SharedClient.get()
    let model = ModelConfig(config)
    let written = try model.weights.random().mapValues {
      try ShardedArray($0.values.map { Float($0) }, shape: Shape($0.shape), on: client)
    }.filter { !missing($0) }
    let folder = try TemporaryFolder()
    let path = folder.path + "/weights.safetensors"
    try WeightFiles.write(parameters: written, names: config.layouts[layout], to: path)
    let files = try WeightFiles(path: path)
    let start = model.warmStart(from: files.types.names)
    return (
      start, written,
      {
        defer { withExtendedLifetime(folder) {} }
        return try WeightLoader(client).load(
          start.read, from: files, names: start.names, as: { _ in nil })
      }
    )
  }

  @Test("Qwen-Image's second embedder starts as a copy of the first one", arguments: [0, 1])
  func copies(_ layout: Int) throws {
    let (start, written, read) = try start(QwenImageTests.config, layout: layout) {
      $0.hasPrefix("time_text_embed_2.")
    }
    #expect(start.initialized.isEmpty)
    let loaded = try read()
    #expect(loaded.names.sorted() == QwenImageTests.weights.names.sorted())
    let embedder = loaded.group("time_text_embed_2")
    #expect(embedder.count == 4)
    for (name, array) in embedder.pairs {
      #expect(try array.bytes() == written["time_text_embed.\(name)"]!.bytes(), "\(name)")
    }
  }

  @Test("Z-Image's second embedder starts from fresh values", arguments: [0, 1, 2, 3])
  func freshValues(_ layout: Int) throws {
    let (start, written, read) = try start(ZImageTests.config, layout: layout) {
      $0.hasPrefix("t_embedder_2.")
    }
    let names = ["0.weight", "0.bias", "2.weight", "2.bias"].map { "t_embedder_2.mlp.\($0)" }
    #expect(start.initialized.names == names)
    #expect(try read().names == written.names)
    let values = try evaluate(Named<Numbers>()) { _ in start.initialized.initialized(Key(seed: 3)) }
    for name in names {
      let (shape, array) = (start.initialized[name]!.shape, values[name]!.values)
      let deviation = (array.reduce(0) { $0 + $1 * $1 } / Double(array.count)).squareRoot()
      let expected = shape.rank == 1 ? 0 : (2 / Double(shape[0] + shape[1])).squareRoot()
      #expect(abs(deviation - expected) <= 0.03 * expected, "\(name)")
    }
  }

  @Test("SD3's second embedder starts from N(0, .02) in every layout", arguments: [0, 1, 2, 3])
  func freshValuesOfSD3(_ layout: Int) throws {
    let (start, written, read) = try start(SD3Tests.config, layout: layout) {
      $0.hasPrefix("time_text_embed_2.")
    }
    #expect(start.initialized.count == 8)
    #expect(try read().names == written.names)
    try expectSmall(start)
  }

  /// Checks that added weights are drawn from N(0, .02), and that biases are 0.
  private func expectSmall(_ start: WarmStart) throws {
    let values = try evaluate(Named<Numbers>()) { _ in start.initialized.initialized(Key(seed: 3)) }
    for (name, value) in values.pairs {
      let square = value.values.reduce(0) { $0 + $1 * $1 } / Double(value.count)
      let isBias = name.hasSuffix(".bias")
      #expect(isBias ? square == 0 : (0.012...0.028).contains(square.squareRoot()), "\(name)")
    }
  }

  @Test("The second embedders of text-dit and SiT start from N(0, .02)", arguments: [false, true])
  func smallValues(isSiT: Bool) throws {
    let config: any PublishedTransformer = isSiT ? SiTTests.config : TextDiTTests.config
    let prefix = isSiT ? "t_embedder_2." : "time_embed_2."
    let (start, written, read) = try start(config) { $0.hasPrefix(prefix) }
    #expect(start.initialized.count == 4)
    #expect(start.initialized.names.allSatisfy { $0.hasPrefix(prefix) })
    #expect(try read().names == written.names)
    try expectSmall(start)
  }

  @Test("A second embedder in the checkpoint is read", arguments: [0, 1, 2])
  func presentOnesAreRead(_ number: Int) throws {
    let (start, written, read) = try start(Self.configs[number]) { _ in false }
    #expect(start.initialized.isEmpty)
    for (name, array) in try read().pairs {
      #expect(try array.bytes() == written[name]!.bytes(), "\(name)")
    }
  }

  @Test(
    "No other parameter may be missing, nor part of the embedder",
    arguments: [
      (0, "norm_out.linear.bias"), (0, "time_text_embed.timestep_embedder.linear_1.weight"),
      (0, "time_text_embed_2.timestep_embedder.linear_1.weight"), (1, "cap_pad_token"),
      (1, "t_embedder.mlp.0.bias"), (1, "t_embedder_2.mlp.0.bias"), (2, "pos_embed.pos_embed"),
      (2, "time_text_embed_2.text_embedder.linear_2.bias"),
    ])
  func othersAreMissing(_ number: Int, _ name: String) throws {
    let (_, _, read) = try start(Self.configs[number]) { $0 == name }
    let error = #expect(throws: WeightsError.self) { _ = try read() }
    #expect(error?.description.contains(name) == true, "\(error?.description ?? "")")
  }

  @Test func networksOfOneTimeHaveNothingToAdd() {
    #expect(QwenImageConfig().added.isEmpty && ZImageConfig().added.isEmpty)
    #expect(SD3Config().added.isEmpty)
    #expect(ModelConfig(DiTConfig()).warmStart(from: []).initialized.isEmpty)
  }
}
