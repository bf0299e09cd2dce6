import ArgumentParser
import Files
import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import Tensors
import Training

/// `twinflow sample`
struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generates pictures of classes with trained weights.",
    discussion: """
      Writes one PNG sheet with a row for each class, of a model in latents for the first ten; its text \
      chunks hold the settings. An output that ends in .npz gets --samples pictures of all classes in turn, \
      as the evaluation suite of ADM reads them: arr_0, bytes [samples, height, width, 3], and arr_1, their \
      classes.

      EXAMPLES
        twinflow sample out/twinflow/weights.safetensors --steps 1
        twinflow sample Assets/fashion-mnist-base.safetensors --steps 50 \\
          --output base.png
        twinflow sample out/imagenet --steps 1 --samples 50000 --output samples.npz
        twinflow sample sd-vae-ft-ema --transformer SiT-XL-2-256.pt --steps 50 \\
          --guidance 1.5
      """)

  @Argument(
    help: """
      The weights: a file that this program has written, or the folder of a run, a checkpoint or a model of \
      classes.
      """,
    transform: pathOption)
  var weights: String

  @Option(
    help: ArgumentHelp(
      "The transformer, a folder or a file of weights, where the model is an autoencoder alone.",
      valueName: "path"),
    transform: pathOption)
  var transformer: String?

  @Option(help: "The number of steps.", transform: integer(SamplerSettings.counts))
  var steps = 1

  // A page can be 32,767 pixels wide.
  @Option(help: "The number of pictures of each class in a sheet.", transform: integer(1...500))
  var columns = 10

  @Option(
    help: "The number of pictures in an .npz file; 50000 by default.",
    transform: integer(1...10_000_000))
  var samples: Int?

  @Option(
    help: "The number of pictures that are made together for an .npz file.",
    transform: integer(1...10_000))
  var batch: Int?

  @Option(
    name: .shortAndLong, help: "The PNG or .npz file to write.", transform: pathOption)
  var output = "samples.png"

  @OptionGroup var sampler: SamplerOptions
  @OptionGroup var engine: EngineOptions

  private var isArchive: Bool { output.lowercased().hasSuffix(".npz") }

  func validate() throws {
    guard isArchive || (samples == nil && batch == nil) else {
      throw ValidationError(
        "--samples and --batch are for an --output that ends in .npz; --columns is for sheets.")
    }
  }

  func run() throws {
    let engine = try engine.open()
    let path = try SharedFiles.standard.path(weights)
    if try transformer != nil || isModel(path) {
      let pipeline = try pipeline(path, on: engine)
      try checkReplaceable(keeping: pipeline.inputFiles)
      let request = try request(pipeline)
      if isArchive {
        try archive(ClassSamples(pipeline, like: request, batch: batch), request.size!)
      } else {
        try sheet(pipeline, request)
      }
      return
    }
    let weights = try weightsPath(weights)
    let file = try ModelFile(weights, on: engine)
    try checkReplaceable(keeping: file.paths)
    let settings = sampler.settings(file.card, steps: steps)
    let guidance = sampler.guidance ?? file.card.guidance
    guard isArchive else {
      try sheet(file, settings, guidance, on: engine)
      return
    }
    let shape = file.model.sampleShape()
    let size = ImageSize(height: shape[0], width: shape.rank > 1 ? shape[1] : 1)
    try archive(
      ClassSamples(
        file, settings, guidance: guidance, batch: batch ?? 100,
        compute: sampler.precision.dtype, on: engine), size)
  }

  /// Whether a folder is a whole model, or that of a run that trains a part of one.
  private func isModel(_ path: String) throws -> Bool {
    try FileManager.default.fileExists(atPath: "\(path)/model_index.json")
      || TrainedRun(path)?.recipe.model.isPublished == true
  }

  private func pipeline(_ path: String, on engine: Engine) throws -> ImagePipeline {
    let log = { @Sendable (text: String) in FileHandle.standardError.write(text + "\n") }
    var options = ImagePipeline.Options()
    options.compute = sampler.precision
    guard let transformer else {
      return try ModelOfRun.pipeline(at: path, options, on: engine, log: log)
    }
    var replacements = ImagePipeline.Replacements()
    replacements.transformer = try ModelLibrary().path(of: transformer)
    return try ImagePipeline(
      ModelFolder(encoders: path), replacing: replacements, options, on: engine, log: log)
  }

  private func checkReplaceable(keeping inputs: [String]) throws {
    try checkOutput(output, replacesNoneOf: inputs)
    try (isArchive ? FileKind.npz : .png).checkReplaceable(output)
  }

  /// The settings of all pictures, with their size.
  private func request(_ pipeline: ImagePipeline) throws -> ImageRequest {
    guard pipeline.classCount != nil else {
      throw ValidationError(
        "\(weights) makes pictures of prompts: use twinflow generate, or twinflow evaluate --prompts."
      )
    }
    var request = ImageRequest(prompt: "0", seed: sampler.seed)
    (request.steps, request.guidance) = (steps, sampler.guidance)
    if sampler.style != nil || sampler.stochastic != nil {
      request.sampler = .preset(steps)
      if let style = sampler.style { request.sampler?.style = style }
      if let stochastic = sampler.stochastic { request.sampler?.stochasticity = .ratio(stochastic) }
    }
    request.size = try pipeline.resolve(request).size
    return request
  }

  private func archive(_ samples: ClassSamples, _ size: ImageSize) throws {
    let (count, start) = (self.samples ?? 50_000, ContinuousClock.now)
    let bar = ProgressBar("Pictures", of: count)
    try samples.write(count, seed: sampler.seed, size: size, to: output) { bar.show($0) }
    bar.finish()
    report(count, since: start)
  }

  /// A sheet of the first classes of a model.
  private func sheet(_ pipeline: ImagePipeline, _ request: ImageRequest) throws {
    let rows = min(pipeline.classCount!, 10)
    let items = (0..<rows * columns).map {
      PromptGeneration.Item(
        prompt: "\($0 / columns)", seed: sampler.seed &+ UInt64($0 % columns))
    }
    let start = ContinuousClock.now
    let bar = ProgressBar("Pictures", of: items.count)
    var pictures: [Picture] = []
    let encoded = try EncodedPrompts(items.map(\.prompt), by: pipeline)
    try PromptGeneration(pipeline, encoded)(items, like: request, progress: { bar.show($0) }) {
      pictures += $1.map(\.picture)
    }
    bar.finish()
    var sheet = Sheet(
      title: URL(fileURLWithPath: weights).lastPathComponent, caption: stepsText,
      rows: (0..<rows).map { "class \($0)" }, columns: columns, pictures: pictures)
    sheet.scale = request.size!.width <= 64 ? 2 : 1
    let texts = [
      ("Software", "twinflow \(programVersion)"), ("twinflow.model", weights),
      ("twinflow.steps", "\(steps)"), ("twinflow.seed", "\(sampler.seed)"),
      ("twinflow.guidance", "\(try pipeline.resolve(request).guidance ?? 0)"),
    ]
    try sheet.picture.write(to: output, texts: texts.map { (key: $0.0, text: $0.1) })
    report(pictures.count, since: start)
  }

  /// A sheet of all classes of a network of pixels.
  private func sheet(
    _ file: ModelFile, _ settings: SamplerSettings, _ guidance: Double, on engine: Engine
  ) throws {
    let name = URL(fileURLWithPath: file.path).deletingPathExtension().lastPathComponent
    let start = ContinuousClock.now
    var bar: ProgressBar?
    let (sheet, texts) = try Gallery(
      engine: engine, seed: sampler.seed, compute: sampler.precision.dtype
    ).sheet(
      file, settings, guidance: guidance, title: name, caption: stepsText, columns: columns
    ) { done, total in
      // A short run shows no bar.
      if bar == nil, (ContinuousClock.now - start).seconds > 2, done < total {
        bar = ProgressBar("Steps", of: total)
      }
      bar?.show(done)
    }
    bar?.finish()
    try sheet.picture.write(to: output, texts: texts)
    report(sheet.pictures.count, since: start)
  }

  private var stepsText: String { "\(steps) step\(steps == 1 ? "" : "s")" }

  private func report(_ count: Int, since start: ContinuousClock.Instant) {
    let seconds = (ContinuousClock.now - start).seconds
    print("Made \(count) pictures in \(seconds.secondsText): \(output)")
  }
}
