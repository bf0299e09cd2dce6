import Files
import Pipelines
import Runtime
import Synchronization

/// The models of a server: opened when it starts, loaded when a picture is asked for, and released by
/// least use where memory is limited.
final class ServedModels: Sendable {
  /// Why a request names no model.
  enum Failure: Error, Equatable {
    /// There is no model of this name among those known.
    case unknownModel(String, known: [String])
    /// There is no LoRA of this name among those known.
    case unknownLoRA(String, known: [String])
  }

  /// The names of the models, the default one first.
  let names: [String]
  /// The files of LoRA by their names in requests.
  let loras: [String: String]
  /// The most bytes of weights that are loaded at once; nil for no limit.
  let memory: Int?

  private let pipelines: [String: ImagePipeline]
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
  init(
    _ models: [(name: String, pipeline: ImagePipeline)], loras: [String: String] = [:],
    memory: Int? = nil
  ) {
    precondition(!models.isEmpty, "a server needs a model")
    names = models.map(\.name)
    pipelines = Dictionary(uniqueKeysWithValues: models.map { ($0.name, $0.pipeline) })
    (self.loras, self.memory) = (loras, memory)
  }

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
  /// - Throws: `Failure.unknownLoRA`, and the errors of LoRA that does not fit the model.
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
    let variant = try base.adding(
      key.loras.map { lora in
        guard let path = loras[lora.name] else {
          throw Failure.unknownLoRA(lora.name, known: loras.keys.sorted())
        }
        return LoRAUse(path, scale: lora.scale)
      })
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

  private func bytes(_ names: [String]) -> Int {
    names.reduce(0) { $0 + pipelines[$1]!.weightBytes }
  }

  /// The names of the models that are loaded.
  var loaded: [String] { state.withLock(\.loaded) }

  /// The bytes of the weights of models that are loaded.
  var loadedBytes: Int { bytes(loaded) }
}
