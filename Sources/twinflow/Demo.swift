import ArgumentParser
import Datasets
import Evaluation
import Files
import Flow
import Foundation
import Pictures
import Recipe
import Tensors
import Pipelines
import Runtime
import Training
import Weights

/// `twinflow demo`
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Draws emoji from words in one step, and turns a multi-step model into a one-step one.",
    discussion: """
      Makes a sheet of emoji with the included text-to-picture model. Then trains the included base model \
      of Fashion-MNIST with TwinFlow for a few minutes, and writes sheets of pictures, a summary and the \
      measurements to the output folder.

      EXAMPLES
        twinflow demo
        twinflow demo --steps 100 --output out/short-demo
      """)

  @Option(help: "The recipe of the training.", transform: pathOption)
  var recipe = "Recipes/fashion-mnist-demo.yaml"

  @Option(
    help: "Training steps; by default the recipe's.",
    transform: integer(1...TrainingRecipe.mostSteps))
  var steps: Int?

  @Option(
    help: "The number of pictures measured for each row.", transform: integer(Evaluator.samples))
  var samples = 2000

  @Option(help: "The classifier's weights.", transform: pathOption)
  var classifier = shippedClassifier

  @Option(
    name: .shortAndLong, help: "The folder for pictures and measurements.", transform: pathOption)
  var output = "out/demo"

  @Option(help: "The seed of the pictures.", transform: seedOption)
  var seed: UInt64 = 0

  @OptionGroup var engine: EngineOptions

  func run() throws {
    do {
      try demonstrate()
    } catch is Stopped {
      print("Stopped. The same command starts again.")
      throw ExitCode(Interrupt().exitCode)
    }
  }

  private func demonstrate() throws {
    let clock = ContinuousClock()
    let begin = clock.now
    let interrupt = Interrupt()
    var settings = [RecipeSetting(["output"], to: "\(output)/run", from: "--output")]
    if let steps { settings.append(RecipeSetting(["steps"], to: steps, from: "--steps")) }
    let recipe = try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: SharedFiles.standard.recipe(recipe), settings: settings)
    guard let start = try recipe.startPath() else {
      throw ValidationError("\(self.recipe) names no base model under \"start\".")
    }
    let classifier = try SharedFiles.standard.path(classifier)
    let engine = try engine.open()
    let base = try ModelFile(start, on: engine)
    let evaluator = try Evaluator(classifier: classifier, on: engine)
    let test = try FashionMNIST(.test, folder: (recipe.data.dataSet as? FashionMNISTData)?.path)
    try evaluator.check(base)
    let trainer = try Trainer(recipe, on: engine, start: .replacing, by: "demo") {
      FileHandle.standardError.write($0 + "\n")
    }
    try checkOutputs(replacingNoneOf: base.paths)

    try drawEmoji(engine, interrupt)
    say("Measuring the base model")
    let reference = try evaluator.measure(test, counts: [test.count])[0]
    func rows(_ name: String, _ file: ModelFile, guidance: Double) throws -> [Report.Row] {
      try [1, 2].flatMap { steps in
        if interrupt.isNoted { throw Stopped() }
        return try evaluator.rows(
          name, file, settings: file.card.sampler(steps), guidance: guidance, samples: [samples],
          seed: seed, reference: reference, on: engine)
      }
    }
    // A step takes one evaluation without guidance, as TwinFlow's do, and two with it.
    var report = DemoReport(
      rows: try [0, base.card.guidance].flatMap { try rows("base", base, guidance: $0) })

    let bar = ProgressBar("TwinFlow", of: trainer.recipe.steps)
    let trainingStart = clock.now
    try trainer.run(progress: bar.show, stopping: { interrupt.isNoted })
    bar.finish()
    if interrupt.isNoted { throw Stopped() }
    report.trainingSeconds = (clock.now - trainingStart).seconds
    report.steps = trainer.step

    say("Measuring the one-step model")
    let twin = try ModelFile(recipe.result, on: engine)
    report.rows += try rows("TwinFlow", twin, guidance: twin.card.guidance)
    report.rows += try committedRow(of: base)

    if interrupt.isNoted { throw Stopped() }
    say("Drawing")
    try draw(base, twin, report.rows, engine)
    report.seconds = (clock.now - begin).seconds
    try JSONFile.write(report, to: "\(output)/report.json")
    print(Report(rows: report.rows).table)
    print(
      "\(report.steps) steps in \(report.trainingSeconds.secondsText), "
        + "\(report.seconds.secondsText) in total. The pictures are in \(output).")
  }

  /// Thrown when the user stops the demonstration.
  private struct Stopped: Error {}

  /// The measurements of the demonstration.
  struct DemoReport: Encodable {
    var rows: [Report.Row]
    var steps = 0
    var trainingSeconds = 0.0
    var seconds = 0.0
  }

  /// The base model's committed measurement at 50 steps, with the nearest number of samples; none
  /// where the report beside the model is of other weights.
  private func committedRow(of base: ModelFile) throws -> [Report.Row] {
    let path = URL(fileURLWithPath: base.path).deletingPathExtension().path + ".json"
    guard let report = try? Report(contentsOf: path),
      report.weights == (try WeightFiles.contentHash(base.path))
    else { return [] }
    let rows = report.rows.filter { $0.steps == 50 }
    guard var row = rows.min(by: { abs($0.samples - samples) < abs($1.samples - samples) }) else {
      return []
    }
    row.name = "base, as committed"
    return [row]
  }

  private static let sheets = [("base", 1), ("base", 50), ("TwinFlow", 1), ("TwinFlow", 2)]

  private func path(_ name: String, _ steps: Int) -> String {
    "\(output)/\(name.lowercased())-\(steps)step.png"
  }

  private var emojiPath: String { "\(output)/emoji.png" }

  /// Draws the sheet of emoji; where the model's text encoder is not installed, this is said.
  private func drawEmoji(_ engine: Engine, _ interrupt: Interrupt) throws {
    say("Drawing emoji from words")
    let sheet: EmojiSheet
    do {
      sheet = try EmojiSheet(seed: seed, on: engine) { _, _ in
        if interrupt.isNoted { throw Stopped() }
      }
    } catch let error as PipelineError {
      guard case .notFetched = error else { throw error }
      return FileHandle.standardError.write("The sheet of emoji is left out. \(error)\n")
    }
    try sheet.picture.write(to: emojiPath)
    print(
      "\(sheet.count) emoji in one step each, "
        + String(format: "%.1f", sheet.millisecondsPerPicture) + " ms a picture: \(emojiPath)")
  }

  /// Checks, before anything is trained, that the outputs replace no other files.
  private func checkOutputs(replacingNoneOf inputs: [String]) throws {
    let pictures =
      Self.sheets.map { path($0.0, $0.1) } + ["\(output)/summary.png", emojiPath]
    for path in pictures { try FileKind.png.checkReplaceable(path) }
    try Report.checkReplaceable("\(output)/report.json")
    for path in pictures + ["\(output)/report.json"] {
      try checkOutput(path, replacesNoneOf: inputs)
    }
  }

  private func draw(
    _ base: ModelFile, _ twin: ModelFile, _ rows: [Report.Row], _ engine: Engine
  ) throws {
    let gallery = Gallery(engine: engine, seed: seed)
    var sheets: [Sheet] = []
    for (name, steps) in Self.sheets {
      let file = name == "base" ? base : twin
      let row = rows.last { $0.steps == steps && $0.name.hasPrefix(name) }
      let caption = row.map {
        String(format: "Fréchet distance %.1f, accuracy %.2f", $0.distance, $0.accuracy)
      }
      let (sheet, texts) = try gallery.sheet(
        file, file.card.sampler(steps), guidance: file.card.guidance,
        title: "\(name), \(steps) step\(steps == 1 ? "" : "s")", caption: caption ?? "")
      try sheet.picture.write(to: path(name, steps), texts: texts)
      sheets.append(sheet)
    }
    try Sheet.page(sheets).write(to: "\(output)/summary.png")
  }

  private func say(_ text: String) { FileHandle.standardError.write("\(text) …\n") }
}
