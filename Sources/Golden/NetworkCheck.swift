import Foundation
import Layers
import Models
import Runtime
import Tensors
import Weights

extension GoldenCase.Kind {
  /// Whether the case has a network with published weights, in the folder `model`.
  var hasModelFolder: Bool {
    switch self {
    case .full, .lora, .tutorial, .objective, .sampler, .tokenizer, .geneval, .dpg, .geneval2,
      .longText, .metricFeatures:
      false
    case .transformer, .autoencoder, .textEncoder, .loraInference, .trainingStep, .trainingSteps,
      .trainingStepLoRA, .pipeline, .samplerOnModel, .clipJudge, .visionLanguageJudge,
      .qwen3VLJudge,
      .detectionJudge:
      true
    }
  }
}

/// Cases of networks with published weights.
extension GoldenCase {
  /// The folder of the network's files.
  var modelPath: String { path + "/model" }

  /// The network's config.
  ///
  /// - Throws: `GoldenError.wrongCase` where it cannot be read or is not supported.
  func networkConfig<Config: Decodable>(_: Config.Type = Config.self) throws -> Config {
    try naming { try PublishedConfig.read(from: modelPath + "/config.json") }
  }

  /// Loads the network's weights, computes from inputs, and compares all expected outputs.
  ///
  /// - Parameters:
  ///   - specs: the network's parameters.
  ///   - names: the map from parameters to the names of arrays on disk.
  ///   - ignored: arrays on disk that hold no parameter.
  ///   - inputs: the inputs that are used.
  ///   - rows: the rows of an output that are compared, nil for all; all axes but the last are
  ///     rows.
  ///   - body: the outputs by name, from bound weights and inputs.
  /// - Throws: `GoldenError.wrongCase` for weights that do not match, and for expected outputs that
  ///   the network does not have; and the plugin's errors.
  func compare(
    _ specs: Named<ParameterSpec>, names: ([String]) -> NameMap,
    ignoring ignored: (String) -> Bool = { _ in false }, inputs: Named<HostArray>,
    rows: (String) -> [Int]? = { _ in nil }, on client: Client,
    _ body: (Named<Tensor>, Named<Tensor>) -> Named<Tensor>
  ) throws -> [Comparison] {
    guard !expected.isEmpty else { return [] }
    let weights = try loadedWeights(specs, names: names, ignoring: ignored, on: client)
    return try compare(weights: weights, inputs: inputs, rows: rows, on: client, body)
  }

  /// The weights of the case's network in f32.
  ///
  /// - Throws: `GoldenError.wrongCase` for weights that do not match.
  func loadedWeights(
    _ specs: Named<ParameterSpec>, names: ([String]) -> NameMap,
    ignoring ignored: (String) -> Bool = { _ in false }, on client: Client
  ) throws -> Named<ShardedArray> {
    try naming {
      let files = try WeightFiles(path: modelPath)
      return try WeightLoader(client).load(
        specs, from: files, names: names(files.types.names), as: { _ in .float32 },
        ignoring: ignored)
    }
  }

  /// Computes from loaded weights and inputs, and compares all expected outputs, see above.
  func compare(
    weights: Named<ShardedArray>, inputs: Named<HostArray>,
    rows: (String) -> [Int]? = { _ in nil }, on client: Client,
    _ body: (Named<Tensor>, Named<Tensor>) -> Named<Tensor>
  ) throws -> [Comparison] {
    let program = try HostProgram(
      inputs.prefixed("inputs"), weights: weights.prefixed("weights"), on: client
    ) { body($0.group("weights"), $0.group("inputs")) }
    let results = try program(inputs.prefixed("inputs"))
    return try expected.pairs.map { name, wanted in
      guard let actual = results[name] else {
        throw fail("its expected.safetensors has \(name), which is not a known output")
      }
      guard actual.shape == wanted.shape else {
        throw fail("its expected \(name) is \(wanted.shape), and the network's is \(actual.shape)")
      }
      let used = rows(name)
      return Comparison(
        name, actual.at(used), wanted.at(used), absolute: 10 * (config.noiseFloors?[name] ?? 0),
        relative: 1e-4)
    }
  }

  /// Adds the case to the errors of its files.
  func naming<T>(_ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as GoldenError {
      throw error
    } catch {
      let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw fail(reason.hasSuffix(".") ? String(reason.dropLast()) : reason)
    }
  }
}

extension HostArray {
  /// Selected rows, where all axes but the last are rows; all of them for nil.
  fileprivate func at(_ rows: [Int]?) -> HostArray {
    guard let rows, let width = shape.last else { return self }
    return HostArray(values, [values.count / max(1, width), width]).rows(rows.map { $0..<$0 + 1 })
  }
}
