import Flow
import Foundation
import Layers
import Models
import Runtime
import Tensors
import Weights

/// The transformer of a published model, which predicts velocities of latents.
package struct TransformerComponent: Sendable {
  /// Its configuration.
  package let config: any PublishedTransformer
  /// Its weights.
  package internal(set) var component: Component
  /// How LoRA that it has is sampled; nil without such.
  var sampling: SamplingCard?
  /// The scale of guidance that its training has recorded; nil without one.
  var guidance: Double?

  /// Opens the transformer in a folder or a file.
  ///
  /// - Parameters:
  ///   - path: a folder with `config.json` and weights, or a file of weights alone.
  ///   - base: the transformer's folder of the whole model: its configuration is used for what a file
  ///     does not tell, and its weights where the file holds the second time embedder alone; nil where the
  ///     model has none.
  ///   - storage: how weights are kept on the devices.
  ///   - log: gets what was recognized, a sentence each.
  /// - Throws: `PublishedConfigError`, `PipelineError.unknownNetwork`, and the errors of weights.
  static func open(
    path: String, base: String?, storage: BaseDType, on engine: Engine, log: (String) -> Void
  ) throws -> TransformerComponent {
    let files = try WeightFiles(path: path)
    let model = try base.map { try config("\($0)/config.json") }
    let like = model.map { ModelConfig($0) }
    func check(_ kind: String) throws {
      guard let base, let like, kind != like.kind else { return }
      throw PipelineError.unfitComponents(path: base, reason: "\(path) holds a \(kind) transformer")
    }
    if FileManager.default.fileExists(atPath: "\(path)/config.json") {
      let own = try config("\(path)/config.json")
      try check(ModelConfig(own).kind)
      return try whole(own, files, nil, storage, engine)
    }
    guard let found = try RecognizedWeights(files.types, like: like, path: path) else {
      let names = files.types.names.prefix(2).joined(separator: ", ")
      throw PipelineError.unknownNetwork(
        path: path, found: "with arrays like \(names)", known: Models.published.map { $0.className }
      )
    }
    switch found {
    case .network(let network, let names):
      try check(network.kind)
      guard let config = network.architecture as? any PublishedTransformer else {
        preconditionFailure("a recognized network is a published one")
      }
      log("\(path) holds a whole \(network.kind) transformer\(timesText(config)).")
      return try whole(config, files, names, storage, engine)
    case .targetEmbedder(let kind, let names):
      let name = kind.className
      guard let model, let base else {
        throw PipelineError.unfitComponents(
          path: path, reason: "it holds a second time embedder alone, and there is no transformer")
      }
      guard name == type(of: model).className else {
        throw PipelineError.unfitComponents(
          path: base, reason: "\(path) holds the second time embedder of \(name)")
      }
      log("\(path) holds the second time embedder alone; all other weights are those of \(base).")
      return try joined(model, files, names, WeightFiles(path: base), storage, engine)
    }
  }

  /// A transformer whose weights are not in files, as while it is trained.
  ///
  /// - Parameters:
  ///   - sampling: how it is sampled; nil for as its embedders of times say.
  ///   - guidance: the scale of guidance; nil for that of the pipeline.
  package static func live(
    _ config: any PublishedTransformer, _ component: Component, sampling: SamplingCard?,
    guidance: Double?
  ) -> TransformerComponent {
    TransformerComponent(
      config: config, component: component, sampling: sampling, guidance: guidance)
  }

  /// A transformer without weights.
  ///
  /// - Parameter path: the folder of the model, for the message where weights are asked for.
  package static func untrained(
    _ config: any PublishedTransformer, in path: String
  ) -> TransformerComponent {
    let specs = ModelConfig(config).weights
    return TransformerComponent(
      config: config,
      component: Component(
        path: path, files: [], types: specs.types(), shardings: specs.shardings
      ) { throw PipelineError.noComponent(path: path, component: "transformer") })
  }

  /// Opens the weights of a network; the names in the files say whether it has target times.
  private static func whole(
    _ given: any PublishedTransformer, _ files: WeightFiles, _ names: NameMap?,
    _ storage: BaseDType, _ engine: Engine
  ) throws -> TransformerComponent {
    let config: any PublishedTransformer = given.matching(files.types.names)
    let component = try Component(
      ModelConfig(config).weights, in: files,
      names: names ?? config.layout(of: files.types.names) ?? config.names,
      ignoring: { config.ignores($0) }, storage: storage, on: engine)
    let guidance = try ModelHeader.describes(files) ? ModelHeader(files.path).card.guidance : 0
    return TransformerComponent(
      config: config, component: component, guidance: guidance > 0 ? guidance : nil)
  }

  /// Opens a network whose second time embedder is in a file of its own.
  private static func joined(
    _ model: any PublishedTransformer, _ embedder: WeightFiles, _ embedderNames: NameMap,
    _ files: WeightFiles, _ storage: BaseDType, _ engine: Engine
  ) throws -> TransformerComponent {
    var config = model
    config.hasTargetTime = true
    let prefix = type(of: model).targetEmbedder + "."
    let isSecond = { @Sendable (name: String) in name.hasPrefix(prefix) }
    let specs = ModelConfig(config).weights
    let names = config.layout(of: files.types.names) ?? config.names
    let first = try Component(
      specs.filter { !isSecond($0) }, in: files, names: names,
      // That of the file is used, whatever the model has.
      ignoring: { isSecond($0) || model.ignores($0) }, storage: storage, on: engine)
    let second = try Component(
      specs.filter(isSecond), in: embedder, names: embedderNames, storage: storage, on: engine)
    return TransformerComponent(config: config, component: .joined(first, second))
  }

  /// Reads the `config.json` of a transformer by the class that it names.
  ///
  /// - Throws: `PublishedConfigError`, and `PipelineError.unknownNetwork` for another class.
  package static func config(_ path: String) throws -> any PublishedTransformer {
    let name = try NetworkKind(path).className ?? "none"
    // The class of a network with target times is called a wrapper of the plain one.
    let plain = name.hasSuffix("Wrapper") ? String(name.dropLast("Wrapper".count)) : name
    guard let type = Models.published.first(where: { $0.className == plain }) else {
      throw PipelineError.unknownNetwork(
        path: path, found: name, known: Models.published.map { $0.className })
    }
    return try PublishedConfig.read(type, from: path)
  }

  private static func timesText(_ config: any PublishedTransformer) -> String {
    config.hasTargetTime ? " with a second time embedder" : " without a second time embedder"
  }

  /// The channels of the latents or pixels that it works on.
  var channels: Int { config.inputs(nil)[0].shape[2] }

  /// The number of features of a text token.
  var textWidth: Int { ModelConfig(config).text?.shape[1] ?? 0 }

  /// The number of classes that it knows, 0 where it takes text.
  var classes: Int { ModelConfig(config).classes }

  /// The number of features of a whole text, 0 where it takes none.
  var pooledWidth: Int { ModelConfig(config).pooledText?.shape[0] ?? 0 }

  /// Whether the network takes target times, so that it can make pictures in a few steps.
  package var isAnyStep: Bool { config.hasTargetTime || sampling != nil }

  /// The network bound to weights.
  package func bound(_ weights: Named<Tensor>) -> any VelocityModel {
    let network = ModelConfig(config).velocityModel(weights)!
    return sampling?.timeConvention.applied(to: network) ?? network
  }
}
