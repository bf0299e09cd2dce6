import Models

/// What a published pipeline does besides evaluating its networks.
///
/// A further pipeline is a further value in `all`.
public struct PipelineKind: Hashable, Sendable {
  /// The class in `model_index.json`.
  public private(set) var className: String
  /// The text around a prompt.
  public var template: PromptTemplate
  /// The prompt for guidance where none is given.
  public let negative: String
  /// The prompt that training takes for none, see `EncodedText`.
  public let unconditional: String
  /// How a guided velocity is computed.
  public var guidance: GuidanceRule
  /// The scale from which on guidance has any effect: it must be above this.
  public let guidanceStart: Double
  /// The number of steps where none is given.
  public let steps: Int
  /// The scale of guidance where none is given, for weights that are not distilled.
  public let defaultGuidance: Double
  /// How reference images are used, nil for pipelines without any.
  public var references: References?
  /// Whether the model's index must name a scheduler; without one Euler steps have no shift.
  public var needsScheduler = true
  /// Whether pictures have the size of training where none is requested, and not 1024 × 1024.
  public var sizeFollowsNetwork = false
  /// The text encoders.
  public var textEncoders = TextEncoders.one
  /// The last time of Euler steps.
  public var lastTime = FlowMatchEuler.LastTime.reciprocal

  /// The text encoders of a pipeline.
  public enum TextEncoders: Hashable, Sendable {
    /// One, which gets the pipeline's template.
    case one
    /// A language model with learned queries behind each prompt, which gets the pipeline's template, and the
    /// connector from their hidden states to the transformer.
    case learnedQueries
    /// Two CLIPs and T5, which gets this number of tokens; T5 may be left out.
    case clipsAndT5(tokens: Int)
    /// None: prompts are classes.
    case classes
  }

  /// How a pipeline uses reference images.
  public struct References: Hashable, Sendable {
    /// The numbers of images that it takes.
    public let counts: ClosedRange<Int>
    /// The area in pixels that an image has for the text encoder.
    public var conditionArea: Int
    /// The area in pixels that an image has for the autoencoder.
    public var latentArea: Int
    /// Whether the text encoder gets the image that was resized for the autoencoder.
    public let sharesImage: Bool
  }

  /// Qwen-Image.
  public static let qwenImage = PipelineKind(
    className: "QwenImagePipeline", template: .qwenImage, negative: " ",
    unconditional: "Generate an image.", guidance: .rescaled(patch: 2), guidanceStart: 1, steps: 50,
    defaultGuidance: 4,
    references: nil)

  /// Qwen-Image-Edit.
  public static let qwenImageEdit = PipelineKind(
    className: "QwenImageEditPipeline", template: .qwenImageEdit(.plain), negative: " ",
    unconditional: "Edit this image.", guidance: .rescaled(patch: 2), guidanceStart: 1, steps: 50,
    defaultGuidance: 4,
    references: References(
      counts: 1...1, conditionArea: 1024 * 1024, latentArea: 1024 * 1024, sharesImage: true))

  /// Qwen-Image-Edit-2509 and later.
  public static let qwenImageEditPlus = PipelineKind(
    className: "QwenImageEditPlusPipeline", template: .qwenImageEdit(.numbered), negative: " ",
    unconditional: "Edit this image.", guidance: .rescaled(patch: 2), guidanceStart: 1, steps: 40,
    defaultGuidance: 4,
    references: References(
      counts: 1...8, conditionArea: 384 * 384, latentArea: 1024 * 1024, sharesImage: false))

  /// Z-Image and Z-Image-Turbo, which is distilled and has no guidance.
  public static let zImage = PipelineKind(
    className: "ZImagePipeline", template: .zImage, negative: "",
    unconditional: "", guidance: .extrapolated(limit: nil), guidanceStart: 0, steps: 8,
    defaultGuidance: 0,
    references: nil)

  /// A `TextDiT` with any text encoder, in pixels or with an autoencoder, as this program trains it.
  public static let textDiT: PipelineKind = {
    var kind = PipelineKind(
      className: "TextDiTPipeline", template: .plain(limit: TextDiTConfig.longestText),
      negative: "", unconditional: "", guidance: .extrapolated(limit: nil), guidanceStart: 0,
      steps: 50, defaultGuidance: 2, references: nil)
    (kind.needsScheduler, kind.sizeFollowsNetwork) = (false, true)
    return kind
  }()

  /// A class-conditional `SiT` in the latents of an autoencoder.
  public static let siT: PipelineKind = {
    var kind = PipelineKind(
      className: "SiTPipeline", template: .plain(limit: 1), negative: "", unconditional: "",
      guidance: .standard, guidanceStart: 1, steps: 50, defaultGuidance: 4, references: nil)
    (kind.textEncoders, kind.needsScheduler, kind.sizeFollowsNetwork) = (.classes, false, true)
    return kind
  }()

  /// Stable Diffusion 3 and 3.5.
  public static let stableDiffusion3: PipelineKind = {
    var kind = PipelineKind(
      className: "StableDiffusion3Pipeline", template: .plain(limit: SD3Config.longestText),
      negative: "", unconditional: "Generate an image.", guidance: .standard, guidanceStart: 1,
      steps: 28, defaultGuidance: 7, references: nil)
    kind.sizeFollowsNetwork = true
    (kind.textEncoders, kind.lastTime) = (.clipsAndT5(tokens: 256), .trained)
    return kind
  }()

  /// SANA.
  public static let sana: PipelineKind = {
    var kind = PipelineKind(
      className: "SanaPipeline", template: .sana, negative: "", unconditional: "",
      guidance: .standard, guidanceStart: 1, steps: 20, defaultGuidance: 4.5, references: nil)
    (kind.sizeFollowsNetwork, kind.lastTime) = (true, .trained)
    return kind
  }()

  /// SANA-Sprint, which embeds the scale of guidance.
  public static let sanaSprint: PipelineKind = {
    var kind = PipelineKind(
      className: "SanaSprintPipeline", template: .sana, negative: "", unconditional: "",
      guidance: .embedded, guidanceStart: -1, steps: 2,
      defaultGuidance: SanaConfig.standardGuidance, references: nil)
    kind.sizeFollowsNetwork = true
    return kind
  }()

  /// OpenUni: SANA with a language model, whose hidden states at learned queries it takes as text.
  public static let openUni: PipelineKind = {
    var kind = sana
    (kind.className, kind.template) = ("OpenUniPipeline", .openUni)
    kind.textEncoders = .learnedQueries
    return kind
  }()

  /// All pipelines.
  public static let all: [PipelineKind] = [
    .qwenImage, .qwenImageEdit, .qwenImageEditPlus, .zImage, .sana, .sanaSprint, .openUni,
    .stableDiffusion3, .siT, .textDiT,
  ]
}

extension PublishedTransformer {
  /// The pipeline of networks that only this program trains, so that a folder with one of them is a model of
  /// its own; nil for networks of other programs' models.
  package var ownPipeline: PipelineKind? {
    switch self {
    case is TextDiTConfig: .textDiT
    case is SiTConfig: .siT
    default: nil
    }
  }
}
