import Files
import Foundation
import Layers
import Models
import Runtime
import Tensors
import Weights

extension PromptEncoder {
  /// Opens OpenUni's text encoder: a language model with learned queries behind each prompt, and the connector
  /// from their hidden states to the features that the transformer takes as text.
  ///
  /// - Parameters:
  ///   - folder: the model, which names the place of the connector.
  ///   - languageModel: the folder or file of the language model.
  ///   - base: the folder of the model's own language model, whose configuration is used for a file.
  ///   - storage: how weights are kept on the devices.
  /// - Throws: `PublishedConfigError`, `PipelineError.unknownNetwork` for another language model,
  ///   `PipelineError.noConnector`, `PipelineError.unfitComponents` where the two do not fit, and the
  ///   errors of weights.
  init(
    withQueriesOf folder: ModelFolder, languageModel: String, base: String, storage: BaseDType,
    on engine: Engine
  ) throws {
    let path = ImagePipeline.config(of: languageModel, otherwise: base)
    let (found, known) = (try NetworkKind(path).modelType, Qwen2Generation.types)
    guard let found, known.contains(found) else {
      throw PipelineError.unknownNetwork(path: path, found: found ?? "none", known: known)
    }
    let config: Qwen2Config = try PublishedConfig.read(from: path)
    let files = try WeightFiles(path: languageModel)
    let model = try Component(
      Scope.declare { Qwen2($0, config) }, in: files, names: config.names(in: files.types.names),
      ignoring: { config.ignores($0) }, storage: storage, on: engine
    ).prefixed(Self.languageModel)
    let connector = try OpenedConnector(folder)
    guard connector.config.width == config.width else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "the connector in \(connector.files.path) takes hidden states of "
          + "\(connector.config.width) features, and the language model makes \(config.width)")
    }
    let sizes = connector.config
    let component = try Component(
      Scope.declare { OpenUniConnector($0, sizes) }, in: connector.files,
      names: OpenUniConnectorConfig.names(in: connector.files.types.names),
      ignoring: OpenUniConnectorConfig.ignores, storage: storage, on: engine
    ).prefixed(Self.connector)
    self.init(
      component: .joined(model, component), vocabulary: config.vocabulary,
      width: sizes.outputWidth, featureCount: sizes.queries,
      configurations: [path] + connector.configurations
    ) { weights, prompts, dtype in
      let connector = Scope.bind(weights.group(Self.connector)) { OpenUniConnector($0, sizes) }
      let states = Scope.bind(weights.group(Self.languageModel)) { Qwen2($0, config) }(
        prompts["tokens"]!, valid: prompts["valid"]!, followedBy: connector.queries, in: dtype)
      return Named([("text", connector(states))])
    }
  }

  private static let (languageModel, connector) = ("language_model", "connector")
}

/// OpenUni's connector in a folder, or in a checkpoint that holds the transformer too.
private struct OpenedConnector {
  let files: WeightFiles
  let config: OpenUniConnectorConfig
  /// The path of its `config.json`; none where the shapes of its arrays say its sizes.
  let configurations: [String]

  init(_ folder: ModelFolder) throws {
    let place = try folder.folder(ModelFolder.connector)
    files = try WeightFiles(path: place)
    guard OpenUniConnectorConfig.isIn(files.types.names) else {
      throw PipelineError.noConnector(path: folder.path, place: files.path)
    }
    let path = "\(place)/config.json"
    if PublishedNetworks.className(path) == OpenUniConnectorConfig.className {
      (config, configurations) = (try PublishedConfig.read(from: path), [path])
    } else {
      (config, configurations) = (
        try OpenUniConnectorConfig(files.types, path: files.path), []
      )
    }
  }
}

extension ModelFolder {
  /// The component between OpenUni's language model and its transformer.
  static let connector = "connector"

  /// The same model with the connector of weights that hold one beside a transformer, as OpenUni's checkpoints
  /// do; of another model, or for other weights, this one.
  ///
  /// - Parameter weights: a file or folder of weights, nil for none.
  /// - Throws: the errors of opening weights.
  package func takingConnector(of weights: String?) throws -> ModelFolder {
    guard className == PipelineKind.openUni.className, let weights,
      try Self.holdsConnector(weights)
    else { return self }
    return placing(
      OpenUniConnectorConfig.className, Self.connector, in: ComponentPlace(Self.absolute(weights)))
  }

  /// Whether weights hold a connector.
  ///
  /// - Throws: the errors of opening weights.
  package static func holdsConnector(_ weights: String) throws -> Bool {
    try WeightFiles.exist(at: weights)
      && OpenUniConnectorConfig.isIn(WeightFiles(path: weights).types.names)
  }

  /// The same model with the connector that a user has named, or that comes with the transformer.
  func takingConnector(_ replacements: ImagePipeline.Replacements) throws -> ModelFolder {
    guard let given = replacements.connector else {
      return try takingConnector(
        of: ImagePipeline.place(replacements.transformer, "transformer"))
    }
    guard className == PipelineKind.openUni.className else {
      throw PipelineError.unfitComponents(
        path: path, reason: "\(className) has no connector, and \(given) is given for one")
    }
    return placing(
      OpenUniConnectorConfig.className, Self.connector,
      in: ComponentPlace(ImagePipeline.place(given, Self.connector) ?? given))
  }

  /// Writes OpenUni's connector as a component of its own into a copy of this model without the transformer,
  /// where it was with the transformer.
  ///
  /// - Parameter copy: the folder of the copy.
  /// - Throws: the errors of opening weights, and `FileError.unwritable`.
  package func writeConnector(in copy: String) throws {
    guard className == PipelineKind.openUni.className,
      try folder(Self.connector) == folder("transformer")
    else { return }
    let (opened, place) = (try OpenedConnector(self), "\(copy)/\(Self.connector)")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let files = opened.files
    let own = files.types.filter { !OpenUniConnectorConfig.ignores($0) }
    // Within the transformer of TwinFlow's code it has a name before its own.
    let outer = "transformer."
    let sources = Named(
      own.names.map { ($0.hasPrefix(outer) ? String($0.dropFirst(outer.count)) : $0, $0) })
    try WeightFiles.write(
      sources.mapValues { own[$0]! }, to: "\(place)/model.safetensors"
    ) { name in
      let source = sources[name]!
      return files.bytes(source, Region(whole: own[source]!.shape))
    }
    try JSONFile.write(opened.config, to: "\(place)/config.json")
    let index = "\(copy)/\(Self.index)"
    guard let data = FileManager.default.contents(atPath: index),
      var json = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { throw PipelineError.wrongIndex(path: index, reason: "it is not a JSON object") }
    json[Self.connector] = ["twinflow", OpenUniConnectorConfig.className]
    try StagedFile.write(
      try JSONSerialization.data(
        withJSONObject: json, options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]),
      to: index, as: .json)
  }
}
