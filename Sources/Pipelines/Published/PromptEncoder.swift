import Files
import Foundation
import Layers
import Models
import Runtime
import Tensors
import Weights

/// The text encoder of a published model.
package struct PromptEncoder: Sendable {
  /// Its weights.
  package let component: Component
  /// The tower that embeds images for it, nil for encoders of text alone.
  package let vision: VisionTower?
  /// The number of token ids.
  let vocabulary: Int
  /// The number of features of a token.
  package let width: Int
  /// The number of features of the whole text, 0 for encoders without such.
  package let pooledWidth: Int
  /// The number of features of every text, whatever its length; nil where that is one for each token.
  let featureCount: Int?
  /// The longest text that it takes, nil for any length.
  let longest: Int?
  /// The token that stands for an image in a prompt, nil for encoders of text alone.
  let imageToken: Int?
  /// The paths of the `config.json`s.
  let configurations: [String]
  /// The features `text` `[batch, tokens, width]`, and `pooled` `[batch, pooled width]` where there are such,
  /// from weights and the arrays of prompts: s32 `tokens` and bools `valid`, both `[batch, tokens]`; with
  /// images also `positions`, `image_rows` and `images`, see `Qwen2_5VL`. Several encoders together have
  /// arrays of tokens by the names of `JointTokenizers` alone. Where `featureCount` is set, `text` is
  /// `[batch, featureCount, width]`.
  let encode:
    @Sendable (_ weights: Named<Tensor>, _ prompts: Named<Tensor>, _ dtype: DType) -> Named<
      Tensor
    >

  /// Opens the encoder in a folder or a file.
  ///
  /// - Parameters:
  ///   - base: the folder of the model's own encoder, whose configuration is used for a file.
  ///   - layer: the hidden state that is taken as features.
  ///   - seesImages: whether images are part of prompts.
  ///   - storage: how weights are kept on the devices.
  /// - Throws: `PublishedConfigError`, `PipelineError.unknownNetwork` for an encoder of another
  ///   architecture, and the errors of weights.
  init(
    _ folder: String, base: String, layer: PromptTemplate.Layer, seesImages: Bool,
    storage: BaseDType, on engine: Engine
  ) throws {
    let path = ImagePipeline.config(of: folder, otherwise: base)
    switch try NetworkKind(path).modelType {
    case "qwen3" where !seesImages:
      let config: Qwen3Config = try PublishedConfig.read(from: path)
      let build = { @Sendable (scope: Scope) in Qwen3(scope, config) }
      try self.init(config, Scope.declare(build), folder, path, layer, storage, engine) {
        weights, prompts, dtype in
        Scope.bind(weights, build)(
          prompts["tokens"]!, valid: prompts["valid"]!, hidden: layer.numbers(config.depth),
          in: dtype)
      }
    case "qwen2_5_vl":
      let config: Qwen2_5VLConfig = try PublishedConfig.read(from: path)
      let vision = try seesImages ? VisionTower(config, folder, storage, on: engine) : nil
      let build = { @Sendable (scope: Scope) in Qwen2_5VL(scope, config) }
      try self.init(
        config, Scope.declare(build), folder, path, layer, storage, engine, vision,
        imageToken: config.imageToken
      ) { weights, prompts, dtype in
        let images = VisionTower.features(in: prompts).map {
          ImageEmbeddings($0, rows: prompts["image_rows"]!)
        }
        return Scope.bind(weights, build)(
          prompts["tokens"]!, valid: prompts["valid"]!, images: images,
          positions: prompts["positions"], hidden: layer.numbers(config.depth), in: dtype)
      }
    case "bert" where !seesImages:
      let config: BertConfig = try PublishedConfig.read(from: path)
      let build = { @Sendable (scope: Scope) in Bert(scope, config) }
      try self.init(config, Scope.declare(build), folder, path, layer, storage, engine) {
        weights, prompts, dtype in
        Scope.bind(weights, build)(
          prompts["tokens"]!, valid: prompts["valid"]!, hidden: layer.numbers(config.depth),
          in: dtype)
      }
    case "gemma2" where !seesImages:
      let config: Gemma2Config = try PublishedConfig.read(from: path)
      let build = { @Sendable (scope: Scope) in Gemma2(scope, config) }
      try self.init(config, Scope.declare(build), folder, path, layer, storage, engine) {
        weights, prompts, dtype in
        Scope.bind(weights, build)(
          prompts["tokens"]!, valid: prompts["valid"]!, hidden: layer.numbers(config.depth),
          in: dtype)
      }
    case let other:
      throw PipelineError.unknownNetwork(
        path: path, found: other ?? "none",
        known: seesImages ? ["qwen2_5_vl"] : ["qwen2_5_vl", "qwen3", "bert", "gemma2"])
    }
  }

  /// No encoder, for models whose prompts are classes.
  static let none = PromptEncoder(
    component: Component(path: "", files: [], types: Named(), shardings: Named()) { Named() },
    vocabulary: 0, width: 0, pooledWidth: 0, configurations: []
  ) { _, _, _ in preconditionFailure("classes are not encoded") }

  /// Makes an encoder of several networks, see `encode`.
  init(
    component: Component, vocabulary: Int, width: Int, pooledWidth: Int = 0,
    featureCount: Int? = nil, configurations: [String],
    encode: @escaping @Sendable (Named<Tensor>, Named<Tensor>, DType) -> Named<Tensor>
  ) {
    (self.component, self.encode) = (component, encode)
    (self.vocabulary, self.width, self.pooledWidth) = (vocabulary, width, pooledWidth)
    self.featureCount = featureCount
    (vision, longest, imageToken) = (nil, nil, nil)
    self.configurations = configurations
  }

  private init(
    _ config: some TextEncoderConfig, _ specs: Named<ParameterSpec>, _ folder: String,
    _ path: String, _ layer: PromptTemplate.Layer, _ storage: BaseDType, _ engine: Engine,
    _ vision: VisionTower? = nil, imageToken: Int? = nil,
    encode: @escaping @Sendable (Named<Tensor>, Named<Tensor>, DType) -> TextEncoding
  ) throws {
    let files = try WeightFiles(path: folder)
    component = try Component(
      specs, in: files,
      names: config.names(in: files.types.names), ignoring: { config.ignores($0) },
      storage: storage, on: engine)
    self.vision = vision
    self.imageToken = imageToken
    (vocabulary, width, longest) = (config.vocabulary, config.width, config.longest)
    (pooledWidth, featureCount, configurations) = (0, nil, [path])
    self.encode = { weights, prompts, dtype in
      let encoding = encode(weights, prompts, dtype)
      let state = layer.numbers(config.depth).first.map { encoding.hidden[$0]! } ?? encoding.last
      return Named([("text", state)])
    }
  }
}

extension PromptTemplate.Layer {
  /// The numbers of the hidden states to ask for; none for the last one.
  fileprivate func numbers(_ depth: Int) -> [Int] { self == .last ? [] : [depth - 1] }
}

/// The keys of a `config.json` that say what kind of network it describes.
struct NetworkKind: Decodable {
  /// diffusers' class.
  let className: String?
  /// transformers' type.
  let modelType: String?

  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
    case modelType = "model_type"
  }

  /// Reads a file.
  ///
  /// - Throws: the errors of `PublishedConfig.read`.
  init(_ path: String) throws { self = try PublishedConfig.read(from: path) }
}
