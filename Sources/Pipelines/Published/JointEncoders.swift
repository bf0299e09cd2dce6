import Files
import Foundation
import Layers
import Models
import Runtime
import Tensors
import Tokenizers
import Weights

/// The text encoders of Stable Diffusion 3, opened together: CLIP-L, CLIP-G and, unless it is left out,
/// T5. Without T5 the features of its tokens are zeros, as in the published pipeline.
struct JointEncoders {
  /// The encoders as one.
  let encoder: PromptEncoder
  /// Their tokenizers.
  let tokenizers: JointTokenizers

  private static let clips = [
    (name: "text_encoder", tokenizer: "tokenizer", title: "CLIP"),
    (name: "text_encoder_2", tokenizer: "tokenizer_2", title: "CLIP"),
  ]
  private static let t5 = (name: "text_encoder_3", tokenizer: "tokenizer_3", title: "T5")

  /// Opens the encoders and their tokenizers.
  ///
  /// - Parameters:
  ///   - replacement: encoders from elsewhere: the folder of a whole model, or the folder or file of a T5
  ///     alone; nil for those of the model.
  ///   - t5Tokens: the number of tokens of T5.
  ///   - usesT5: whether T5 is used.
  ///   - textWidth: the features of a text token that the transformer takes.
  ///   - log: gets a sentence where T5 is missing.
  /// - Throws: `PipelineError`, `PublishedConfigError`, `TokenizerError`, and the errors of weights.
  init(
    _ folder: ModelFolder, replacing replacement: String?, t5Tokens: Int, usesT5: Bool,
    textWidth: Int, storage: BaseDType, on engine: Engine, log: (String) -> Void
  ) throws {
    let place = EncoderPlace(folder: folder, replacement: replacement)
    let clips = try Self.clips.map { names in
      let clip = try OpenedEncoder<CLIPTextConfig>(
        names.name, at: place.path(names.name), place, storage, on: engine
      ) { CLIPText($0, $1) }
      guard clip.config.hasProjection else {
        throw PipelineError.unfitComponents(
          path: folder.path, reason: "its \(names.name) has no projection of the pooled text")
      }
      return clip
    }
    let t5 = try Self.t5(place, isWanted: usesT5, log: log).map { path in
      try OpenedEncoder<T5Config>(Self.t5.name, at: path, place, storage, on: engine) {
        T5Encoder($0, $1)
      }
    }
    let width = t5?.config.width ?? textWidth
    let clipWidth = clips.reduce(0) { $0 + $1.config.width }
    guard clipWidth <= width else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "the CLIPs make \(clipWidth) features, more than the \(width) of a text token")
    }
    let components = clips.map(\.component) + [t5?.component].compactMap(\.self)
    let first = components[0]
    let (clipConfigs, t5Config) = (clips.map(\.config), t5?.config)
    encoder = PromptEncoder(
      component: components.dropFirst().reduce(first) { .joined($0, $1) },
      vocabulary: clipConfigs[0].vocabulary, width: width,
      pooledWidth: clipConfigs.reduce(0) { $0 + $1.projection },
      configurations: clips.map(\.configuration) + [t5?.configuration].compactMap(\.self)
    ) { weights, prompts, dtype in
      Self.features(
        weights, prompts, clips: clipConfigs, t5: t5Config, width: width, t5Tokens: t5Tokens, dtype)
    }
    var parts: [JointTokenizers.Part] = []
    var clipLength: Int?
    for (names, clip) in zip(Self.clips, clips) {
      let tokenizer = try Tokenizer(folder: folder.folder(names.tokenizer))
      // The published pipeline gives both encoders the length of the first tokenizer.
      let length = clipLength ?? tokenizer.longest ?? clip.config.positions
      clipLength = length
      guard length <= clip.config.positions else {
        throw PipelineError.unfitComponents(
          path: folder.path,
          reason: "texts have \(length) tokens, and its \(names.name) has \(clip.config.positions) "
            + "positions")
      }
      parts.append(
        JointTokenizers.Part(
          title: names.title, name: names.tokenizer, tokenizer: tokenizer, length: length,
          vocabulary: clip.config.vocabulary))
    }
    if let t5 {
      parts.append(
        JointTokenizers.Part(
          title: Self.t5.title, name: Self.t5.tokenizer,
          tokenizer: try Tokenizer(folder: folder.folder(Self.t5.tokenizer)), length: t5Tokens,
          vocabulary: t5.config.vocabulary))
    }
    tokenizers = JointTokenizers(parts: parts, length: parts[0].length + t5Tokens)
  }

  /// The folder or file of T5, nil where it is not used.
  private static func t5(
    _ place: EncoderPlace, isWanted: Bool, log: (String) -> Void
  ) throws -> String? {
    guard isWanted else { return nil }
    guard place.has(t5.name) else {
      log(
        "\(place.folder.path) is used without T5, its \(t5.name): what the CLIPs do not see of a "
          + "prompt has no part in the picture.")
      return nil
    }
    return try place.path(t5.name)
  }

  /// The features of prompts: `text`, the CLIPs' hidden states before the last layer, side by side with
  /// zeros up to the width, followed by T5's; `pooled`, the CLIPs' projections side by side.
  private static func features(
    _ weights: Named<Tensor>, _ prompts: Named<Tensor>, clips: [CLIPTextConfig], t5: T5Config?,
    width: Int, t5Tokens: Int, _ dtype: DType
  ) -> Named<Tensor> {
    let encodings = zip(Self.clips, clips).map { names, config in
      Scope.bind(weights.group(names.name)) { CLIPText($0, config) }(
        prompts[names.tokenizer]!, hidden: [config.depth - 1], in: dtype)
    }
    let states = zip(encodings, clips).map { $0.hidden[$1.depth - 1]! }
    let joined = Tensor.concatenate(states, axis: -1)
    let missing = width - joined.shape[2]
    let clip = missing == 0 ? joined : joined.pad([(0, 0), (0, 0), (0, missing)])
    let further =
      t5.map { config in
        Scope.bind(weights.group(Self.t5.name)) { T5Encoder($0, config) }(
          prompts[Self.t5.tokenizer]!, in: dtype
        ).last
      } ?? .zeros([clip.shape[0], t5Tokens, width], dtype)
    return Named([
      ("text", .concatenate([clip, further], axis: 1)),
      (InputSpec.pooled, .concatenate(encodings.map { $0.projected! }, axis: -1)),
    ])
  }
}

/// Where the encoders of a model are.
private struct EncoderPlace {
  let folder: ModelFolder
  let replacement: String?

  /// Whether the replacement is a whole model, and not an encoder alone.
  private func isWhole(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(path)/text_encoder")
  }

  /// Whether there is an encoder.
  func has(_ name: String) -> Bool {
    if let replacement, !isWhole(replacement) { return folder.names(name) }
    if let replacement { return FileManager.default.fileExists(atPath: "\(replacement)/\(name)") }
    return folder.names(name) && (try? folder.folder(name)) != nil
  }

  /// The folder or file of an encoder.
  func path(_ name: String) throws -> String {
    guard let replacement else { return try folder.folder(name) }
    if isWhole(replacement) { return "\(replacement)/\(name)" }
    return name == "text_encoder_3" ? replacement : try folder.folder(name)
  }

  /// The `config.json` of an encoder.
  func configuration(_ name: String, at path: String) throws -> String {
    let own = "\(path)/config.json"
    return FileManager.default.fileExists(atPath: own)
      ? own : "\(try folder.folder(name))/config.json"
  }
}

/// One of several encoders, whose parameters have its name before theirs.
private struct OpenedEncoder<Config: TextEncoderConfig> {
  let config: Config
  /// The path of its `config.json`.
  let configuration: String
  let component: Component

  init(
    _ name: String, at path: String, _ place: EncoderPlace, _ storage: BaseDType,
    on engine: Engine, _ build: (Scope, Config) -> some Any
  ) throws {
    configuration = try place.configuration(name, at: path)
    let config: Config = try PublishedConfig.read(from: configuration)
    let files = try WeightFiles(path: path)
    component = try Component(
      Scope.declare { build($0, config) }, in: files, names: config.names(in: files.types.names),
      ignoring: { config.ignores($0) }, storage: storage, on: engine
    ).prefixed(name)
    self.config = config
  }
}
