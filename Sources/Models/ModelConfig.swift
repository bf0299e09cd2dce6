import Flow
import Layers
import Recipe
import Tensors
import Weights

/// A network of any architecture, as recipes and weight files name it: by its kind and settings.
public struct ModelConfig: Sendable {
  /// The architecture with its settings.
  public let architecture: any Architecture

  /// Wraps an architecture.
  public init(_ architecture: any Architecture) { self.architecture = architecture }

  /// The architecture's name in recipes.
  public var kind: String { type(of: architecture).kind }

  /// Every parameter of the network.
  public var weights: Named<ParameterSpec> { weights(with: nil) }

  /// Every parameter of the network with LoRA on its linear maps.
  public func weights(with lora: LoRA?) -> Named<ParameterSpec> {
    architecture.declared(with: lora)
  }

  /// The paths of the linear maps, which LoRA can be put on.
  public var linearMaps: [String] {
    weights(with: LoRA(rank: 1, alpha: 1)).names.filter { $0.hasSuffix(".lora_A.weight") }
      .map { String($0.dropLast(".lora_A.weight".count)) }
  }

  /// Whether the network's embedded condition can be shifted.
  public var takesConditionShift: Bool { type(of: architecture).takesConditionShift }

  /// Whether the network can generate; a classifier cannot.
  public var isGenerative: Bool { type(of: architecture).isGenerative }

  /// The architecture where it is trained on answers, nil for networks of flows.
  public var supervised: (any SupervisedArchitecture)? {
    architecture as? any SupervisedArchitecture
  }

  /// The network as a velocity model bound to weights, nil for one that cannot generate.
  public func velocityModel(
    _ weights: Named<Tensor>, lora: LoRA? = nil
  ) -> (any VelocityModel)? {
    architecture.velocityModel(weights, lora)
  }

  /// What the network takes of each sample, see `Architecture.inputs`.
  public func inputs(_ size: ImageSize? = nil) -> [InputSpec] { architecture.inputs(size) }

  /// Whether samples are the latents of a codec, not pixels.
  public var worksOnLatents: Bool { architecture.worksOnLatents }

  /// The shape of one sample, `[height, width, channels]` for images.
  public func sampleShape(_ size: ImageSize? = nil) -> Shape { inputs(size)[0].shape }

  /// What the network takes of each sample beside the sample itself.
  public var conditions: [InputSpec] { Array(inputs().dropFirst()) }

  /// The features of the whole text that the network takes beside those of its tokens; nil for none.
  public var pooledText: InputSpec? { conditions.first { $0.name == InputSpec.pooled } }

  /// Whether a parameter is a table, which is not trained.
  public func isTable(_ name: String) -> Bool { architecture.isTable(name) }

  /// The number of classes that the network knows, 0 for one that is not conditioned on classes.
  public var classes: Int { conditions.compactMap(\.count).first.map { $0 - 1 } ?? 0 }

  /// Whether the network works on latents of pictures of classes.
  public var takesClassesOfLatents: Bool { worksOnLatents && text == nil && classes > 0 }

  /// The encoded text that the network takes, of the longest texts; nil for one without.
  public var text: InputSpec? { conditions.first { $0.name == "text" } }

  /// How the network's stack of layers is run, nil for a network without one.
  public var execution: StackExecution? {
    (architecture as? any StackedArchitecture)?.execution
  }

  /// The same network with its stack, if it has one, run in another way.
  public func executed(_ execution: StackExecution) -> ModelConfig {
    guard var architecture = architecture as? any StackedArchitecture else { return self }
    architecture.execution = execution
    return ModelConfig(architecture)
  }

  /// What the network's parameters are called on disk.
  public var names: NameMap { architecture.names }
}

extension ModelConfig: Hashable {
  /// Whether two networks are of the same architecture and settings.
  public static func == (a: ModelConfig, b: ModelConfig) -> Bool {
    AnyHashable(a.architecture) == AnyHashable(b.architecture)
  }

  /// Hashes the architecture and its settings.
  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(architecture)) }
}

extension ModelConfig: CustomStringConvertible {
  /// The kind and the settings as a recipe has them, `{kind: dit, size: 28, …}`.
  public var description: String {
    (try? RecipeWriter.line(self)) ?? kind
  }
}

extension ModelConfig: RecipeChoice {
  /// The architectures.
  public typealias List = Models

  /// The architecture.
  public var group: any RecipeGroup { architecture }

  /// Reads `kind` and the settings beside it.
  ///
  /// - Throws: an error that names the key whose value cannot be, and one for a network whose weights
  ///   cannot be counted.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: RecipeChoiceKey.self)
    let kind: EntryName<Models> = try keys.value(.kind)
    try Self.refuseKeysOfOthers(than: kind.rawValue, from: decoder)
    architecture = try kind.entry.init(from: decoder)
    guard isCountable else {
      throw InvalidRecipeValue(
        "a network of \(weightCount) weights with samples of \(sampleShape())",
        "no device could hold it: lower its sizes")
    }
  }
}
