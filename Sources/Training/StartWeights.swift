import Files
import Foundation
import Layers
import Models
import Pipelines
import Runtime
import Tensors
import Weights

/// The weights that training starts from: a file of this program, or a published transformer.
///
/// A network that is trained may have a second time embedder that a published one does not have; see
/// `Architecture.warmStart`.
struct StartWeights {
  /// The path, for messages.
  let path: String
  /// The network that they are weights of.
  let model: ModelConfig
  private let files: WeightFiles
  private let names: NameMap

  /// Opens weights; none is read.
  ///
  /// - Parameters:
  ///   - path: a file of this program; for published networks also the transformer's folder, or a file of
  ///     its weights alone.
  ///   - expected: a network of the kind that it may be, for what a file does not say.
  /// - Throws: `PipelineError`, `TrainingError.startsFromLoRA`, `PublishedConfigError`, and the errors of
  ///   files.
  init(_ path: String, like expected: ModelConfig) throws {
    self.path = path
    let files = try WeightFiles(path: path)
    self.files = files
    let config = "\(path)/config.json"
    guard expected.isPublished, !ModelHeader.describes(files) else {
      let header = try ModelHeader(path)
      guard header.card.lora == nil else { throw TrainingError.startsFromLoRA(path: path) }
      (model, names) = (header.card.model, header.names)
      return
    }
    if FileManager.default.fileExists(atPath: config) {
      let found = ModelConfig(try TransformerComponent.config(config))
        .matching(files.types.names)
      (model, names) = (found, found.names(in: files.types.names))
      return
    }
    guard
      case .network(let found, let names)? =
        try RecognizedWeights(files.types, like: expected, path: path)
    else {
      throw PipelineError.unknownNetwork(
        path: path,
        found: "with arrays like \(files.types.names.prefix(2).joined(separator: ", "))",
        known: Models.published.map { $0.className })
    }
    (model, self.names) = (found, names)
  }

  private func warmStart(_ model: ModelConfig) -> WarmStart {
    model.architecture.warmStart(from: files.types.names, names: names)
  }

  private func ignores(_ array: String) -> Bool { model.ignores(array) }

  /// The parameters of a network that are not here and get fresh values.
  func missing(of model: ModelConfig) -> Named<ParameterSpec> { warmStart(model).initialized }

  /// What is said to the user of parameters that are not here; nothing where all are.
  func notices(for model: ModelConfig) -> [String] {
    let missing = model.architecture.added.filter { added in
      !files.types.names.contains { $0.hasPrefix(names.diskName(of: added.path) + ".") }
    }
    var told: [String] = []
    for added in missing where !told.contains(added.meaning) { told.append(added.meaning) }
    return told.map { meaning in
      let parts = missing.filter { $0.meaning == meaning }.map { added in
        switch added.start {
        case .copied(let source): "\(added.path) is added and starts as a copy of \(source)"
        case .initialized: "\(added.path) is added and starts from random values"
        }
      }
      return "\(path) has no \(meaning): \(parts.joined(separator: ", "))."
    }
  }

  /// How a network's parameters are stored; those that are not here are absent.
  func storedTypes(of model: ModelConfig) throws -> Named<WeightStorage> {
    let start = warmStart(model)
    return try WeightLoader.storage(
      start.read, in: files, names: start.names, ignoring: ignores)
  }

  /// Loads a network's parameters; those that are not here are absent.
  ///
  /// - Parameter storage: how a parameter is to be kept; nil leaves it as it is stored.
  func weights(
    of model: ModelConfig, on engine: Engine, as storage: (String) -> WeightStorage?
  ) throws -> Named<ShardedArray> {
    let start = warmStart(model)
    return try WeightLoader(engine.client, mesh: engine.mesh).load(
      start.read, from: files, names: start.names, as: storage, ignoring: ignores)
  }

  /// The files that are read.
  var paths: [String] { files.paths }
}
