import Files
import Flow
import Foundation
import Models
import Runtime
import Synchronization
import Tensors
import Tokenizers

/// A text-to-image model: a text encoder, a transformer and, unless that works on pixels, an autoencoder. A
/// class-conditional one has no text encoder, and its prompts are classes.
///
/// Components are loaded when they are needed, and released after their turn unless they are to be kept.
public final class ImagePipeline: Sendable {
  /// The folder of the model.
  public let folder: ModelFolder
  /// What the pipeline does besides evaluating networks.
  public let kind: PipelineKind
  /// The options that it was opened with.
  public let options: Options
  /// The components that do not come from the model's folder, and LoRA.
  public let replacements: Replacements

  /// The classes that are prompts; nil for prompts of text.
  package let classes: ClassNames?
  /// The tokenizer of prompts, nil for classes.
  package let tokenizer: Tokenizer?
  /// The number of tokens of the template's instruction; 0 without one.
  package let instructionTokens: Int
  package let encoder: PromptEncoder
  /// The tokenizers of several encoders that encode each prompt together; nil for one.
  package let joint: JointTokenizers?
  /// The preprocessing of reference images, nil for pipelines without any.
  let processor: Qwen2VLImageProcessor?
  package let transformer: TransformerComponent
  package let codec: PictureCodec
  package let scheduler: Scheduler
  package let engine: Engine
  let denoisers = Mutex<[Shape: Denoiser]>([:])
  private let programs = Mutex<[ProgramKey: CompiledFunction]>([:])

  /// The programs that are kept, besides those of denoisers.
  enum ProgramKey: Hashable {
    /// The text encoder for arrays of these types, without the features of some tokens.
    case text(Named<TensorType>, dropped: Range<Int>)
    /// The vision tower for images of these sizes in patches.
    case vision([TokenGrid])
  }

  /// How a model is held and computed.
  public struct Options: Hashable, Sendable {
    /// How the transformer's weights are kept on the devices.
    public var transformerStorage = BaseDType.stored
    /// How the text encoder's weights are kept on the devices.
    public var encoderStorage = BaseDType.stored
    /// The element type that the text encoder and the transformer compute in. The autoencoder computes
    /// in f32.
    public var compute = Precision.float32
    /// Whether components stay loaded after their turn.
    public var keepsComponents = false
    /// Texts are padded to a multiple of this number of tokens, so that few programs are compiled.
    public var textMultiple = 64
    /// Whether Stable Diffusion 3 uses its T5, by far the largest of its text encoders.
    public var usesT5 = true
    /// When pictures are encoded and decoded in tiles.
    public var tiling = TileUse.whenNeeded

    /// Makes the default options.
    public init() {}
  }

  /// Components from other places than the model's folder, and LoRA.
  public struct Replacements: Hashable, Sendable {
    /// The folder or file of the transformer.
    public var transformer: String?
    /// The folder or file of the autoencoder.
    public var vae: String?
    /// The folder or file of the text encoder.
    public var textEncoder: String?
    /// The folder or file of OpenUni's connector; nil for that in the file of the transformer, or of the
    /// model.
    public var connector: String?
    /// Files of LoRA for the transformer.
    public var loras: [LoRAUse] = []

    /// Makes no replacements.
    public init() {}
  }

  /// Opens a model. Configurations and the headers of weights are read and checked; weights are not
  /// loaded.
  ///
  /// - Parameters:
  ///   - network: the transformer where the folder names none, because it is yet to be trained: then
  ///     prompts and pictures can be encoded, and nothing be generated.
  ///   - log: gets what was recognized, a sentence each.
  /// - Throws: `PipelineError`, and the errors of configurations, tokenizers and weights.
  public convenience init(
    _ folder: ModelFolder, replacing replacements: Replacements = Replacements(),
    kind: PipelineKind? = nil, network: (any PublishedTransformer)? = nil,
    _ options: Options = Options(), on engine: Engine,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    let untrained = network.flatMap { network -> TransformerComponent? in
      folder.names("transformer") ? nil : .untrained(network, in: folder.path)
    }
    try self.init(
      folder, replacing: replacements, kind: kind, transformer: untrained, options, on: engine,
      log: log)
  }

  /// Opens a model with a transformer from elsewhere, see above.
  ///
  /// - Parameter transformer: the transformer; nil for that of the folder, or the one that replaces it.
  package init(
    _ folder: ModelFolder, replacing replacements: Replacements = Replacements(),
    kind: PipelineKind? = nil, transformer given: TransformerComponent?,
    _ options: Options = Options(), on engine: Engine,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    let folder = try folder.takingConnector(replacements)
    self.folder = folder
    self.options = options
    self.replacements = replacements
    self.engine = engine
    guard let kind = kind ?? PipelineKind.all.first(where: { $0.className == folder.className })
    else {
      throw PipelineError.unknownPipeline(
        path: folder.path, found: folder.className, known: PipelineKind.all.map(\.className))
    }
    self.kind = kind
    let hasText = kind.textEncoders != .classes
    let tokenizer = try hasText ? Tokenizer(folder: folder.folder("tokenizer")) : nil
    self.tokenizer = tokenizer
    instructionTokens =
      kind.template.hasInstruction ? tokenizer?.count(kind.template.before) ?? 0 : 0
    processor = try kind.references.map { _ in
      try ImageProcessorFile.read(in: folder.folder("processor"))
    }
    if let given {
      transformer = given
    } else {
      let replacement = Self.place(replacements.transformer, "transformer")
      // A model of which the folder has no transformer gets it from elsewhere.
      let base =
        replacement != nil && !folder.names("transformer") ? nil : try folder.folder("transformer")
      transformer = try TransformerComponent.open(
        path: replacement ?? base!, base: base,
        storage: options.transformerStorage, on: engine, log: log
      ).adding(replacements.loras, dtype: options.compute.dtype, on: engine, log: log)
    }
    switch kind.textEncoders {
    case .one:
      let own = try folder.folder("text_encoder")
      encoder = try PromptEncoder(
        Self.place(replacements.textEncoder, "text_encoder") ?? own, base: own,
        layer: kind.template.layer, seesImages: kind.references != nil,
        storage: options.encoderStorage, on: engine)
      joint = nil
    case .learnedQueries:
      let own = try folder.folder("text_encoder")
      encoder = try PromptEncoder(
        withQueriesOf: folder,
        languageModel: Self.place(replacements.textEncoder, "text_encoder") ?? own, base: own,
        storage: options.encoderStorage, on: engine)
      joint = nil
    case .clipsAndT5(let tokens):
      let all = try JointEncoders(
        folder, replacing: replacements.textEncoder, t5Tokens: tokens, usesT5: options.usesT5,
        textWidth: transformer.textWidth, storage: options.encoderStorage, on: engine, log: log)
      (encoder, joint) = (all.encoder, all.tokenizers)
    case .classes:
      (encoder, joint) = (.none, nil)
    }
    guard hasText == (transformer.classes == 0) else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: hasText
          ? "the transformer takes classes, and the model has a text encoder"
          : "the transformer takes no classes, and the model has no text encoder")
    }
    classes = hasText ? nil : ClassNames(count: transformer.classes, names: folder.classNames)
    codec = try Self.codec(
      folder, transformer, replacement: replacements.vae, on: engine, log: log)
    var scheduler: Scheduler =
      kind.needsScheduler || folder.names("scheduler")
      ? try PublishedConfig.read(from: folder.folder("scheduler") + "/scheduler_config.json")
      : .euler(FlowMatchEuler())
    if case .euler(var euler) = scheduler {
      euler.lastTime = kind.lastTime
      scheduler = .euler(euler)
    }
    self.scheduler = scheduler
    try checkFit()
  }

  /// Takes everything of another pipeline but the transformer.
  init(copying other: ImagePipeline, transformer: TransformerComponent) {
    (folder, kind, options) = (other.folder, other.kind, other.options)
    (replacements, engine) = (other.replacements, other.engine)
    (tokenizer, encoder, processor) = (other.tokenizer, other.encoder, other.processor)
    (codec, scheduler, joint) = (other.codec, other.scheduler, other.joint)
    classes = other.classes
    instructionTokens = other.instructionTokens
    self.transformer = transformer
  }

  /// The codec of a transformer's samples.
  private static func codec(
    _ folder: ModelFolder, _ transformer: TransformerComponent, replacement: String?,
    on engine: Engine, log: @escaping @Sendable (String) -> Void
  ) throws -> PictureCodec {
    guard transformer.config.worksOnLatents else {
      guard replacement == nil else {
        throw PipelineError.unfitComponents(
          path: folder.path, reason: "the transformer works on pixels, and takes no autoencoder")
      }
      return .pixels(Pixels(channels: transformer.channels))
    }
    let own = try folder.folder("vae")
    let path = place(replacement, "vae") ?? own
    return .autoencoder(
      try Autoencoder(
        path, config: ImageAutoencoders.config(from: config(of: path, otherwise: own)),
        on: engine, log: log))
  }

  /// The place of a component that a user has named: a component's own folder or file, or that folder in
  /// the folder of a whole model.
  static func place(_ path: String?, _ component: String) -> String? {
    path.map { path in
      let inner = "\(path)/\(component)"
      return FileManager.default.fileExists(atPath: inner) ? inner : path
    }
  }

  /// The `config.json` beside weights, or for a file of weights alone that of the model's own component.
  static func config(of path: String, otherwise base: String) -> String {
    let own = "\(path)/config.json"
    return FileManager.default.fileExists(atPath: own) ? own : "\(base)/config.json"
  }

  /// Checks that the components fit each other.
  private func checkFit() throws {
    guard transformer.channels == codec.channels else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "the transformer works on latents of \(transformer.channels) channels, "
          + "and those of the autoencoder have \(codec.channels)")
    }
    guard classes != nil || transformer.textWidth == encoder.width else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "the transformer takes text of \(transformer.textWidth) features, and the text "
          + "encoder makes \(encoder.width)")
    }
    guard transformer.pooledWidth == encoder.pooledWidth else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "the transformer takes \(transformer.pooledWidth) features of the whole text, and "
          + "the text encoders make \(encoder.pooledWidth)")
    }
  }

  /// Whether the features of all texts have one number of tokens.
  package var hasOneTextLength: Bool {
    joint != nil || classes != nil || encoder.featureCount != nil
  }

  /// The number that the lengths of padded texts are multiples of; texts of one length need no padding.
  package var textMultiple: Int { hasOneTextLength ? 1 : options.textMultiple }

  /// The number that heights and widths of pictures must be multiples of.
  public var sizeMultiple: Int { codec.reduction * transformer.config.patch }

  /// The shape of the latents of a batch of pictures.
  package func latentShape(batch: Int, _ size: ImageSize) -> Shape {
    [batch, size.height / codec.reduction, size.width / codec.reduction, codec.channels]
  }

  /// The number of image tokens of a picture.
  package func tokenCount(_ size: ImageSize) -> Int {
    (size.height / sizeMultiple) * (size.width / sizeMultiple)
  }

  /// A program, compiled on first use.
  func program(
    _ key: ProgramKey, _ compile: () throws -> CompiledFunction
  ) throws -> CompiledFunction {
    try programs.withLock { programs in
      if let program = programs[key] { return program }
      let program = try compile()
      programs[key] = program
      return program
    }
  }
}
