import Foundation
import Layers
import Models
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

/// A second output head for the twin trajectory, in every architecture that can have one.
@Suite struct TwinHeadTests {
  static let configs: [ModelConfig] = {
    var points = PointNetworkConfig()
    (points.width, points.depth, points.frequencies) = (8, 2, 4)
    return [
      ModelConfig(points), ModelConfig(DiTTests.config), ModelConfig(TextDiTTests.config),
      ModelConfig(TextDiTTests.stemmed),
    ]
  }()

  /// Samples of two rows with what the network takes beside them.
  private static func inputs(_ config: ModelConfig) -> Named<Numbers> {
    var inputs = Named<Numbers>()
    for (seed, spec) in config.inputs().enumerated() {
      let shape = [2] + spec.shape.sizes
      switch spec.name {
      case "class": inputs[spec.name] = Numbers([1, 0], [2], .int32)
      case "text_mask": continue
      case "text":
        inputs[spec.name] = .random([2, 3, spec.shape[1]], seed: UInt64(seed + 5), .float32)
      default: inputs[spec.name] = .random(shape, seed: UInt64(seed + 5), .float32)
      }
    }
    return inputs
  }

  private static func run(
    _ config: ModelConfig, _ weights: Named<Tensor>, _ inputs: Named<Tensor>, at times: [Float]
  ) -> Tensor {
    let time = Tensor.constant(times, shape: [2])
    let sample = inputs.names[0]
    return config.velocityModel(weights)!(
      inputs[sample]!, time: time, target: time * 0.5,
      condition: inputs.filter { $0 != sample })
  }

  /// Rows of negative times come from the second head, others from the first, which is that of the network
  /// without a second one; and so do gradients.
  @Test(arguments: configs.indices) func headsAreChosenByTheSignOfTheTime(_ place: Int) throws {
    let plain = Self.configs[place]
    let twin = plain.withTwinHead
    #expect(twin.hasTwinHead && !plain.hasTwinHead && twin.withoutTwinHead == plain)
    let weights = twin.weights.random()
    #expect(twin.weights.filter { !twin.isTwinHead($0) } == plain.weights)
    let given = Self.inputs(plain).prefixed("in").merging(weights.prefixed("w"))
    let results = try evaluate(given) { given in
      let (inputs, weights) = (given.group("in"), given.group("w"))
      let first = weights.filter { !twin.isTwinHead($0) }
      var second = first
      for (name, value) in weights.group("twin_head").pairs { second[name] = value }
      let both = Self.run(twin, weights, inputs, at: [0.6, -0.6])
      let gradients = { (row: Int) in both[row..<row + 1].squared().sum().gradients(for: weights) }
      return Named([
        ("both", both), ("first", Self.run(plain, first, inputs, at: [0.6, -0.6])),
        ("second", Self.run(plain, second, inputs, at: [0.6, -0.6])),
      ]).merging(gradients(0).prefixed("positive")).merging(gradients(1).prefixed("negative"))
    }
    expectClose(results["both"]!.row(0), results["first"]!.row(0), relative: 1e-6)
    expectClose(results["both"]!.row(1), results["second"]!.row(1), relative: 1e-6)
    #expect(results["first"]!.row(1) != results["second"]!.row(1))
    let isZero = { (name: String) in results[name]!.values.allSatisfy { $0 == 0 } }
    for name in weights.names {
      #expect(isZero("positive.\(name)") == twin.isTwinHead(name), "\(name)")
      #expect(isZero("negative.\(name)") == twin.isFirstHead(name), "\(name)")
    }
  }

  /// A network with a second head starts from the weights of one without, as a copy of the first.
  @Test(arguments: configs.indices) func startsAsACopy(_ place: Int) throws {
    let (client, folder) = (try SharedClient.get(), try TemporaryFolder())
    let plain = Self.configs[place]
    let twin = plain.withTwinHead
    #expect(twin.takesWeights(of: plain) && plain.takesWeights(of: twin))
    let written = try plain.weights.random().mapValues {
      try ShardedArray($0.values.map { Float($0) }, shape: Shape($0.shape), on: client)
    }
    let path = folder.path + "/weights.safetensors"
    try WeightFiles.write(parameters: written, names: plain.names, to: path)
    let files = try WeightFiles(path: path)
    let start = twin.warmStart(from: files.types.names)
    #expect(start.initialized.isEmpty)
    let read = try WeightLoader(client).load(
      start.read, from: files, names: start.names, as: { _ in nil })
    #expect(read.names.sorted() == twin.weights.names.sorted())
    for (name, array) in read.pairs {
      let source = twin.isTwinHead(name) ? String(name.dropFirst("twin_head.".count)) : name
      #expect(twin.isTwinHead(name) == !plain.weights.names.contains(name))
      #expect(try array.bytes() == written[source]!.bytes(), "\(name)")
    }
  }

  /// The key is written only where there is a second head, so that files for generation are as ever.
  @Test(arguments: configs.indices) func isReadAndWritten(_ place: Int) throws {
    let plain = Self.configs[place]
    let texts = try [plain, plain.withTwinHead].map {
      String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
    }
    #expect(!texts[0].contains("twin_head") && texts[1].contains("\"twin_head\":true"))
    let read: [ModelConfig] = try texts.map { try RecipeDecoder.decode(yaml: $0, file: "test") }
    #expect(read == [plain, plain.withTwinHead])
    let off = texts[0].dropLast() + ", \"twin_head\": false}"
    #expect(try RecipeDecoder.decode(yaml: String(off), file: "test") as ModelConfig == plain)
  }

  @Test func othersHaveOneHead() {
    for config in [
      ModelConfig(QwenImageTests.config), ModelConfig(ZImageTests.config),
      ModelConfig(TutorialUNetConfig()), ModelConfig(ClassDiTConfig()),
    ] {
      #expect(!config.takesTwinHead && config.withTwinHead == config)
    }
  }
}
