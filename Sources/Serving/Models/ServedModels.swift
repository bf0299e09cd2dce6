import Files
import Pipelines
import Runtime
import Synchronization
import Weights

/// The models of a server: opened when it starts, loaded when a picture is asked for, and released by
/// least use where memory is limited.
final class ServedModels: Sendable {
  /// Why a request names no model.
  enum Failure: Error, Equatable {
    /// There is no model of this name among those known.
    case unknownModel(String, known: [String])
    /// There is no LoRA of this name among those known.
    case unknownLoRA(String, known: [String])
    /// The weights of these LoRA are not those of a model.
    case unfitLoRA([String], model: String)
  }

  /// The names of the models, the default one first.
  let names: [String]
  /// The files of LoRA by their names in requests.
  let loras: [String: String]
  /// The most bytes of weights that are loaded at once; nil for no limit.
  let memory: Int?

  private let pipelines: [String: ImagePipeline]
  private let fitting: [String: [String]]
  private let state = Mutex(State())

  private struct State {
    /// The models that are loaded, the one that was used last at the end.
    var loaded: [String] = []
    /// Models with LoRA, the one that was used last at the end.
    var variants: [(key: ServedModelKey, pipeline: ImagePipeline)] = []
  }

  /// The most combinations of LoRA that are kept.
  private static let mostVariants = 4

  /// The names that stand for the default model: those that clients send without being asked.
  static let aliases: Set = [
    "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "dall-e-2", "dall-e-3", "default",
  ]

  /// Takes models, the default one first.
  ///
  /// - Throws: `WeightsError` for LoRA that fits none of the models, and the errors of its file.
  init(
    _ models: [(name: String, pipeline: ImagePipeline)], loras: [String: String] = [:],
    memory: Int? = nil
  ) throws {
    precondition(!models.isEmpty, "a server needs a model")
    names = models.map(\.name)
    pipelines = Dictionary(uniqueKeysWithValues: models.map { ($0.name, $0.pipeline) })
    (self.loras, self.memory) = (loras, memory)
    var fitting: [String: [String]] = [:]
    for (name, path) in loras.sorted(by: { $0.key < $1.key }) {
      var failure: (any Error)?
      var isFit = false
      for model in models {
        do {
          _ = try model.pipeline.adding([LoRAUse(path)])
          fitting[model.name, default: []].append(name)
          isFit = true
        } catch {
          failure = failure ?? error
        }
      }
      if let failure, !isFit { throw failure }
    }
    self.fitting = fitting
  }

  /// The names of the LoRA that fit a model.
  func loras(of name: String) -> [String] { fitting[name] ?? [] }

  /// The name of the model that a request means; nil stands for the default one.
  func name(of requested: String?) throws(Failure) -> String {
    guard let requested, !requested.isEmpty else { return names[0] }
    if pipelines[requested] != nil { return requested }
    guard Self.aliases.contains(requested) else {
      throw .unknownModel(requested, known: names)
    }
    return names[0]
  }

  /// A model of the server, which need not be loaded.
  subscript(name: String) -> ImagePipeline { pipelines[name]! }

  /// A model with LoRA, which need not be loaded.
  ///
  /// - Throws: `Failure.unknownLoRA`, `unfitLoRA`, and the errors of files.
  func pipeline(_ key: ServedModelKey) throws -> ImagePipeline {
    let base = pipelines[key.name]!
    if key.loras.isEmpty { return base }
    let known = state.withLock { state -> ImagePipeline? in
      guard let index = state.variants.firstIndex(where: { $0.key == key }) else { return nil }
      let variant = state.variants.remove(at: index)
      state.variants.append(variant)
      return variant.pipeline
    }
    if let known { return known }
    let uses = try key.loras.map { lora in
      guard let path = loras[lora.name] else {
        throw Failure.unknownLoRA(lora.name, known: loras.keys.sorted())
      }
      return LoRAUse(path, scale: lora.scale)
    }
    let variant: ImagePipeline
    do {
      variant = try base.adding(uses)
    } catch is WeightsError {
      throw Failure.unfitLoRA(key.loras.map(\.name), model: key.name)
    }
    state.withLock { state in
      state.variants.append((key, variant))
      if state.variants.count > Self.mostVariants { state.variants.removeFirst() }
    }
    return variant
  }

  /// A model that is about to be used: others are released where memory is short. Called by one thread
  /// alone.
  ///
  /// - Throws: as `pipeline`.
  func use(_ key: ServedModelKey) throws -> ImagePipeline {
    let released = state.withLock { state -> [String] in
      state.loaded.removeAll { $0 == key.name }
      var released: [String] = []
      while let oldest = state.loaded.first, let memory, bytes(state.loaded + [key.name]) > memory {
        state.loaded.removeFirst()
        state.variants.removeAll { $0.key.name == oldest }
        released.append(oldest)
      }
      state.loaded.append(key.name)
      return released
    }
    for name in released { pipelines[name]!.release() }
    return try pipeline(key)
  }

  /// Releases all models except one, so that it has the memory.
  ///
  /// - Returns: whether there were any.
  func releaseOthers(than name: String) -> Bool {
    let released = state.withLock { state -> [String] in
      let others = state.loaded.filter { $0 != name }
      state.loaded.removeAll { $0 != name }
      state.variants.removeAll { $0.key.name != name }
      return others
    }
    for other in released { pipelines[other]!.release() }
    return !released.isEmpty
  }

  private func bytes(_ names: [String]) -> Int {
    names.reduce(0) { $0 + pipelines[$1]!.weightBytes }
  }

  /// The names of the models that are loaded.
  var loaded: [String] { state.withLock(\.loaded) }

  /// The bytes of the weights of models that are loaded.
  var loadedBytes: Int { bytes(loaded) }
}
