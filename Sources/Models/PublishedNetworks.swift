import Files
import Foundation
import Layers
import Recipe
import Tensors
import Weights

/// A network of a published pipeline: its parameters, and what they are called in files.
public struct PublishedNetwork: Sendable {
  /// What a network is for.
  public enum Role: String, Sendable {
    case transformer = "transformer"
    case textEncoder = "text encoder"
    case autoencoder = "autoencoder"
    case connector = "connector"
  }

  /// What it is for.
  public let role: Role
  /// Every parameter.
  public let specs: Named<ParameterSpec>
  /// What they are called in files with arrays of these names.
  public let names: @Sendable ([String]) -> NameMap
  /// Whether an array in a file does not belong to the network.
  public let ignores: @Sendable (String) -> Bool

  /// Describes a network.
  public init(
    _ role: Role, specs: Named<ParameterSpec>,
    names: @escaping @Sendable ([String]) -> NameMap = { _ in NameMap() },
    ignores: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.role = role
    self.specs = specs
    self.names = names
    self.ignores = ignores
  }

  /// A network that recipes can name.
  public init(_ model: ModelConfig) {
    self.init(
      .transformer, specs: model.weights, names: model.names(in:), ignores: model.ignores)
  }
}

/// The networks of published pipelines by the classes that their `config.json` names: one line each.
public enum PublishedNetworks {
  private static let all: [Entry] = [
    .transformer(QwenImageConfig.self),
    .transformer(ZImageConfig.self),
    .transformer(SD3Config.self),
    .transformer(SanaConfig.self),
    .transformer(TextDiTConfig.self),
    Entry(["DiTTransformer2DModel"]) { path, _ in
      let config: ClassDiTConfig = try PublishedConfig.read(from: path)
      return PublishedNetwork(
        .transformer, specs: Scope.declare { ClassDiT($0, config) },
        ignores: ClassDiTConfig.isUnused)
    },
    .autoencoder(AutoencoderKLConfig.self),
    .autoencoder(AutoencoderKLQwenImageConfig.self),
    .autoencoder(AutoencoderDCConfig.self),
    .encoder(
      ["Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLModel", "Qwen2_5_VLTextModel"],
      Qwen2_5VL.init(_:_:)),
    .encoder(
      ["Qwen3VLForConditionalGeneration", "Qwen3VLModel", "Qwen3VLTextModel"],
      Qwen3VL.init(_:_:)),
    .encoder(
      [
        "Qwen2Model", "Qwen2ForCausalLM", "InternVLChatModel", "InternVLModel",
        "InternVLForConditionalGeneration",
      ], Qwen2.init(_:_:)),
    .encoder(["Qwen3Model", "Qwen3ForCausalLM"], Qwen3.init(_:_:)),
    .encoder(["Gemma2Model", "Gemma2ForCausalLM"], Gemma2.init(_:_:)),
    .encoder(["T5EncoderModel", "T5ForConditionalGeneration"], T5Encoder.init(_:_:)),
    .encoder(["BertModel", "BertForMaskedLM"], Bert.init(_:_:)),
    .encoder(["CLIPTextModel", "CLIPTextModelWithProjection"], CLIPText.init(_:_:)),
    Entry([OpenUniConnectorConfig.className]) { path, _ in
      let config: OpenUniConnectorConfig = try PublishedConfig.read(from: path)
      return PublishedNetwork(
        .connector, specs: Scope.declare { OpenUniConnector($0, config) },
        names: OpenUniConnectorConfig.names(in:), ignores: OpenUniConnectorConfig.ignores)
    },
  ]

  /// The classes of a network, and how its `config.json` is read.
  private struct Entry: Sendable {
    let classes: [String]
    let read: @Sendable (_ config: String, _ arrays: [String]) throws -> PublishedNetwork

    init(
      _ classes: [String],
      _ read: @escaping @Sendable (String, [String]) throws -> PublishedNetwork
    ) {
      (self.classes, self.read) = (classes, read)
    }

    static func transformer<Config: PublishedTransformer>(_: Config.Type) -> Entry {
      Entry([Config.className, Config.className + "Wrapper"]) { path, arrays in
        let config: Config = try PublishedConfig.read(from: path)
        return PublishedNetwork(ModelConfig(config.matching(arrays)))
      }
    }

    static func autoencoder<Config: ImageAutoencoderConfig>(_: Config.Type) -> Entry {
      Entry([Config.className]) { path, arrays in
        let config: Config = try PublishedConfig.read(from: path)
        // In files of several networks the others are passed over.
        let prefix = config.names(for: arrays).prefix
        return PublishedNetwork(
          .autoencoder, specs: Scope.declare { config.network($0) }, names: config.names(for:),
          ignores: { !$0.hasPrefix(prefix) || config.ignores($0) })
      }
    }

    static func encoder<Config: TextEncoderConfig, Network>(
      _ classes: [String], _ build: @escaping @Sendable (Scope, Config) -> Network
    ) -> Entry {
      Entry(classes) { path, _ in
        let config: Config = try PublishedConfig.read(from: path)
        return PublishedNetwork(
          .textEncoder, specs: Scope.declare { build($0, config) }, names: config.names(in:),
          ignores: config.ignores)
      }
    }
  }

  /// The class that a `config.json` names, of diffusers or of transformers; nil where there is no such
  /// file, or where it names none.
  public static func className(_ config: String) -> String? {
    guard let file = try? MappedFile(config) else { return nil }
    let json = withExtendedLifetime(file) {
      try? JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any]
    }
    return json?["_class_name"] as? String ?? (json?["architectures"] as? [String])?.first
  }

  /// The network that a `config.json` describes; nil for one that is not known.
  ///
  /// - Parameter arrays: the names of the arrays in its files, which tell whether there is a second time
  ///   embedder.
  /// - Throws: the errors of `PublishedConfig`.
  public static func read(_ config: String, arrays: [String]) throws -> PublishedNetwork? {
    guard let name = className(config), let entry = all.first(where: { $0.classes.contains(name) })
    else { return nil }
    return try entry.read(config, arrays)
  }
}
