import ArgumentParser
import Files
import Flow
import Foundation
import Models
import Pipelines
import Runtime

extension BaseDType: ExpressibleByArgument {}

/// The options that say which networks make pictures, and how they are held.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The model: a folder as diffusers saves it, or its name; or the folder of a run or a checkpoint.",
      valueName: "model"),
    completion: .directory, transform: pathOption)
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Another transformer: a folder, or a file of weights.",
      discussion:
        "A file that holds TwinFlow's second time embedder alone is added to the model's.",
      valueName: "path"),
    transform: pathOption)
  var transformer: String?

  @Option(
    help: ArgumentHelp("Another autoencoder: a folder, or a file of weights.", valueName: "path"),
    transform: pathOption)
  var vae: String?

  @Option(
    help: ArgumentHelp("Another text encoder: a folder, or a file of weights.", valueName: "path"),
    transform: pathOption)
  var textEncoder: String?

  @Option(
    help: ArgumentHelp(
      "Another connector of OpenUni's: a folder, or a file of weights.",
      discussion: "By default that in the file of --transformer, or that of the model.",
      valueName: "path"),
    transform: pathOption)
  var connector: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Whether Stable Diffusion 3 uses its T5, which takes most of the text encoders' memory.")
  var t5: Bool?

  @Option(
    help: ArgumentHelp(
      "LoRA for the transformer, with a scale where it is not 1; again for further files.",
      valueName: "file[:scale]"),
    transform: loraOption)
  var lora: [LoRAUse] = []

  @Option(help: ArgumentHelp("How the transformer's weights are kept.", valueName: "type"))
  var weights: BaseDType?

  @Option(help: ArgumentHelp("How the text encoder's weights are kept.", valueName: "type"))
  var encoderWeights: BaseDType?

  @Option(
    help: ArgumentHelp(
      "The element type that networks compute in.",
      discussion: "By default f32 on a CPU, bf16 on GPUs.", valueName: "type"))
  var precision: Precision?

  /// These options, with those of a picture where none are given.
  func filled(from record: PictureRecord?) -> ModelOptions {
    guard let record else { return self }
    var filled = self
    filled.model = model ?? record.model
    if model == nil {
      filled.transformer = transformer ?? record.replaced["transformer"]
      filled.vae = vae ?? record.replaced["vae"]
      filled.textEncoder = textEncoder ?? record.replaced["text_encoder"]
      filled.connector = connector ?? record.replaced["connector"]
      if lora.isEmpty {
        filled.lora = record.loras.map { LoRAUse($0.file.path, scale: $0.scale) }
      }
    }
    filled.weights = weights ?? record.weights
    filled.encoderWeights = encoderWeights ?? record.encoderWeights
    filled.precision = precision ?? record.precision
    filled.t5 = t5 ?? record.leavesOutT5.map { !$0 }
    return filled
  }

  /// Opens the model.
  ///
  /// - Parameters:
  ///   - options: how it is held besides what these options say.
  ///   - log: gets what was recognized, a sentence each.
  /// - Throws: `PipelineError`, and the errors of configurations and weights.
  func open(
    on engine: Engine, _ given: ImagePipeline.Options = ImagePipeline.Options(),
    log: @escaping @Sendable (String) -> Void
  ) throws -> ImagePipeline {
    let library = ModelLibrary()
    var options = given
    options.transformerStorage = weights ?? .stored
    options.encoderStorage = encoderWeights ?? .stored
    options.usesT5 = t5 ?? true
    options.compute =
      precision ?? (engine.client.platformName == "cpu" ? .float32 : .bfloat16)
    var replacements = ImagePipeline.Replacements()
    replacements.transformer = try transformer.map { try library.path(of: $0) }
    replacements.vae = try vae.map { try library.path(of: $0) }
    replacements.textEncoder = try textEncoder.map { try library.path(of: $0) }
    replacements.connector = try connector.map { try library.path(of: $0) }
    replacements.loras = lora
    // With a transformer from elsewhere the model may be what is beside it alone.
    let folder =
      try transformer == nil
      ? ModelFolder(library.path(of: model!)) : ModelFolder(encoders: model!)
    return try ImagePipeline(folder, replacing: replacements, options, on: engine, log: log)
  }
}

/// The options that describe a picture.
struct PictureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("What guidance leads away from.", valueName: "text"))
  var negative: String?

  @Option(help: "The number of steps.", transform: integer(SamplerSettings.counts))
  var steps: Int?

  @Option(
    help: ArgumentHelp(
      "The scale of guidance, which takes two evaluations a step.",
      discussion: "Not for TwinFlow's weights, which were trained with it.", valueName: "scale"),
    transform: number(0...1000))
  var guidance: Double?

  @Option(
    help: ArgumentHelp(
      "Blocks of the transformer that a further evaluation leaves out, as in 7,8,9, to guide by what "
        + "they add.",
      discussion: "For Stable Diffusion 3.5 medium, whose recommended blocks are 7,8,9.",
      valueName: "numbers"),
    transform: layersOption)
  var skipLayers: [Int]?

  @Option(
    help: ArgumentHelp(
      "The scale of guidance by skipped blocks, by default 2.8.", valueName: "scale"),
    transform: number(0...1000))
  var skipScale: Double?

  @Option(
    help: ArgumentHelp(
      "The fraction of the steps after which blocks are skipped, by default 0.01.",
      valueName: "fraction"),
    transform: number(0...1))
  var skipStart: Double?

  @Option(
    help: ArgumentHelp(
      "The fraction of the steps at which this ends, by default 0.2.", valueName: "fraction"),
    transform: number(0...1))
  var skipStop: Double?

  @Option(
    help: ArgumentHelp("The width and height in pixels.", valueName: "width>x<height"),
    transform: sizeOption)
  var size: ImageSize?

  @Option(help: "The seed of the noise.", transform: seedOption)
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "The target time of each step: 0 (few), the current time (multi) or the next one (any).",
      discussion: "By default chosen by the number of steps; for TwinFlow's weights.",
      valueName: "style"))
  var style: SamplerSettings.Style?

  @Option(
    help: ArgumentHelp(
      "The fraction of the noise that is redrawn in each step, from 0 to 1; for TwinFlow's weights.",
      valueName: "ratio"),
    transform: number(0...1))
  var stochastic: Double?

  @Option(
    help: ArgumentHelp(
      "The shift of times towards noise, in place of the scheduler's.", valueName: "shift"),
    transform: positive)
  var shift: Double?

  /// The request, with the settings of a picture where none are given.
  func request(prompt: String?, like record: PictureRecord?) throws -> ImageRequest {
    var request = ImageRequest(
      prompt: prompt ?? record?.prompt ?? "", seed: seed ?? record?.seed ?? 0)
    request.negative = negative ?? record?.negative
    request.guidance = guidance ?? record?.guidance
    request.skipping = try skipping(like: record?.skipping)
    request.size =
      size ?? record.map { ImageSize(height: $0.height, width: $0.width) }
    request.steps = steps ?? record?.steps
    request.shift = shift ?? record?.shift
    if style != nil || stochastic != nil || steps == nil, let sampler = record?.sampler {
      request.sampler = sampler
    }
    if style != nil || stochastic != nil {
      var settings = request.sampler ?? .preset(request.steps ?? 2)
      if let style { settings.style = style }
      if let stochastic { settings.stochasticity = .ratio(stochastic) }
      request.sampler = settings
    }
    return request
  }
}

extension PictureOptions {
  /// The guidance by skipped blocks, with the settings of a picture where none are given.
  private func skipping(like record: LayerSkipping?) throws -> LayerSkipping? {
    guard var skipping = skipLayers.map({ LayerSkipping(layers: $0) }) ?? record else {
      guard skipScale == nil, skipStart == nil, skipStop == nil else {
        throw ValidationError("--skip-scale, --skip-start and --skip-stop need --skip-layers.")
      }
      return nil
    }
    if let skipScale { skipping.scale = skipScale }
    if let skipStart { skipping.start = skipStart }
    if let skipStop { skipping.stop = skipStop }
    return skipping
  }
}

/// Reads numbers of blocks such as `7,8,9`.
///
/// - Throws: `NumberError`.
func layersOption(_ text: String) throws -> [Int] {
  let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
  let known = numbers.compactMap(\.self).filter { $0 >= 0 }
  guard known.count == numbers.count else {
    throw NumberError(description: "it must be numbers of blocks, as in 7,8,9")
  }
  return known
}

/// Reads a file of LoRA with an optional scale, such as `style.safetensors:0.8`.
///
/// - Throws: `NumberError` for a scale that is no number, and `PathOptionError`.
func loraOption(_ text: String) throws -> LoRAUse {
  guard let colon = text.lastIndex(of: ":"), !FileManager.default.fileExists(atPath: text) else {
    return LoRAUse(try pathOption(text))
  }
  guard let scale = Double(text[text.index(after: colon)...]), scale.isFinite else {
    throw NumberError(description: "the scale behind the colon must be a number, as in file:0.8")
  }
  return LoRAUse(try pathOption(String(text[..<colon])), scale: scale)
}

/// Reads a size such as `768x1024`.
///
/// - Throws: `NumberError`.
func sizeOption(_ text: String) throws -> ImageSize {
  let sides = text.lowercased().split(separator: "x", omittingEmptySubsequences: false)
    .map { Int($0) }
  guard sides.count == 2, let width = sides[0], let height = sides[1], width > 0, height > 0 else {
    throw NumberError(description: "it must be a width and a height in pixels, as in 768x1024")
  }
  return ImageSize(height: height, width: width)
}

extension PictureRecord {
  /// Checks that the weights are those that a picture was made with, for components that no option
  /// replaces.
  ///
  /// - Throws: `PipelineError.changedInput`.
  func check(
    _ pipeline: ImagePipeline, changed options: ModelOptions, _ cache: HashCache
  ) throws {
    guard options.model == nil, options.transformer == nil, options.vae == nil,
      options.textEncoder == nil, options.connector == nil
    else { return }
    if options.lora.isEmpty { for lora in loras { try lora.file.check(cache) } }
    for (name, found) in try pipeline.hashes(cache).sorted(by: { $0.key < $1.key }) {
      guard let hash = hashes[name], hash != found else { continue }
      throw PipelineError.changedInput(
        path: "\(name) of \(model)", expected: hash, found: found)
    }
  }
}
