import ArgumentParser
import Files
import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// `twinflow generate`
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes pictures from words with a published model.",
    discussion: """
      Writes PNG files, whose text chunks hold everything that repeats the picture; other tools read \
      them as those of AUTOMATIC1111's web interface. A model is a folder as diffusers saves it, or \
      the name of a folder in TWINFLOW_MODELS or in Hugging Face's cache.

      EXAMPLES
        twinflow generate "a red fox in snow" --model Qwen-Image --steps 50 \\
          --guidance 4
        twinflow generate "a red fox in snow" --model Qwen-Image --steps 2 \\
          --transformer TwinFlow-Qwen-Image-v1.0
        twinflow generate "make it night" --model Qwen-Image-Edit --image day.png
        twinflow generate --like picture.png
      """)

  @Argument(help: "What the picture shows, or how the images are edited.")
  var prompt: String?

  @OptionGroup(title: "Model options") var model: ModelOptions
  @OptionGroup(title: "Picture options") var picture: PictureOptions

  @Option(
    help: ArgumentHelp(
      "An image to edit, a PNG, JPEG or WebP file; again for further ones.", valueName: "file"),
    transform: pathOption)
  var image: [String] = []

  @Option(
    help: ArgumentHelp(
      "Repeats a picture from its own metadata.",
      discussion: "Options that are given replace those of the picture.", valueName: "picture.png"),
    transform: pathOption)
  var like: String?

  @Option(
    help: ArgumentHelp(
      "The number of pictures, with the seeds that follow the first one.", valueName: "number"),
    transform: integer(1...10_000))
  var count = 1

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The PNG file to write; several pictures have their seeds in their names.",
      discussion: "By default the first of picture.png, picture-2.png … that does not exist.",
      valueName: "file"),
    transform: pathOption)
  var output: String?

  @Flag(help: "Prints what the run needs in memory, and stops.")
  var dryRun = false

  @OptionGroup var engine: EngineOptions

  func validate() throws {
    let kind = output.map { URL(fileURLWithPath: $0).pathExtension.lowercased() }
    if let kind, ["jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"].contains(kind) {
      throw ValidationError("Pictures are PNG files: give --output a name that ends in .png.")
    }
    if prompt == nil, like == nil {
      throw ValidationError("Say what the picture is to show, or give --like.")
    }
    if model.model == nil, like == nil {
      throw ValidationError("Give the model with --model.")
    }
  }

  func run() throws {
    let cache = HashCache()
    let source = try like.map { try ReadRecord($0) }
    let log = { @Sendable (text: String) in FileHandle.standardError.write(text + "\n") }
    let engine = try engine.open()
    let setup = try model.filled(from: source?.record).resolvingRun()
    let pipeline = try setup.open(on: engine, log: log)
    if let record = source?.record {
      try record.check(pipeline, changed: model, cache)
    }
    let inputs = try inputs(source?.record, cache)
    let images = try inputs.map { try RGBImage(contentsOf: $0.path) }
    let requested = try picture.request(prompt: prompt, like: source?.record)
    let resolved = try (0..<count).map { number in
      var request = requested
      request.seed &+= UInt64(number)
      return try pipeline.resolve(request, editing: images)
    }
    let outputs = paths(resolved.map(\.seed))
    for output in outputs {
      try checkOutput(
        output, replacesNoneOf: pipeline.inputFiles + inputs.map(\.path) + [like].compactMap { $0 })
      try FileKind.png.checkReplaceable(output)
    }
    let plan = try pipeline.plan([resolved[0]], editing: images)
    log(plan.table)
    try plan.check()
    if dryRun { return }
    let start = ContinuousClock.now
    var bar: ProgressBar?
    _ = try pipeline(resolved.map { [$0] }, editing: images, log: log) { progress in
      switch progress {
      case .phase(.decoding): bar?.finish()
      case .phase: break
      case .step(let done, let total):
        if bar == nil { bar = ProgressBar("Steps", of: total) }
        bar?.show(done)
      case .decoded(let number, let pixels):
        let request = resolved[number]
        let record = try pipeline.record(
          of: request, requested: requested, model: setup.model!, images: inputs, cache)
        try Picture(
          width: request.size.width, height: request.size.height, channels: 3,
          numbers: pixels.array(of: Float.self)
        ).write(to: outputs[number], texts: record.texts())
      }
    }
    let seconds = (ContinuousClock.now - start).seconds
    let names = outputs.count == 1 ? outputs[0] : "\(outputs[0]) to \(outputs.last!)"
    print("Made \(count) picture\(count == 1 ? "" : "s") in \(seconds.secondsText): \(names)")
  }

  /// The reference images: those that are given, or those of a picture, which must not have changed.
  private func inputs(
    _ record: PictureRecord?, _ cache: HashCache
  ) throws -> [PictureRecord.InputFile] {
    guard image.isEmpty, let record else {
      return try image.map { try PictureRecord.InputFile($0, cache) }
    }
    for file in record.images { try file.check(cache) }
    return record.images
  }

  /// The files of the pictures with these seeds.
  private func paths(_ seeds: [UInt64]) -> [String] {
    func named(_ stem: String) -> [String] {
      seeds.map { seeds.count > 1 ? "\(stem)-\($0).png" : "\(stem).png" }
    }
    if let output {
      guard seeds.count > 1 else { return [output] }
      return named(output.hasSuffix(".png") ? String(output.dropLast(4)) : output)
    }
    var number = 1
    while true {
      let paths = named(number == 1 ? "picture" : "picture-\(number)")
      if !paths.contains(where: FileManager.default.fileExists) { return paths }
      number += 1
    }
  }
}

/// The record of a picture that a user has named.
private struct ReadRecord {
  let record: PictureRecord

  /// Reads a PNG file.
  ///
  /// - Throws: `PipelineError.noRecord`, and the errors of files and pictures.
  init(_ path: String) throws {
    guard let text = try Picture.read(path).texts[PictureRecord.key] else {
      throw PipelineError.noRecord(path: path, reason: "it has no text of this program")
    }
    record = try PictureRecord(text, path: path)
  }
}
