import ArgumentParser
import Datasets
import Evaluation
import Files
import Flow
import Foundation
import Pipelines
import Runtime
import Training
import Weights

/// `twinflow evaluate`
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures generated pictures against real ones, and makes those of benchmarks.",
    discussion: """
      Networks of Fashion-MNIST: prints the Fréchet distance of a classifier's features to those of the \
      10,000 test pictures, and the fraction of the pictures classified as the requested class; by the same \
      features the kernel distance to as many test pictures, precision, recall, density, coverage, and how \
      much the pictures of a class differ. The same \
      number of real training pictures is measured as well: no generator can be expected to come closer. \
      The distance depends on the number of samples, so compare only equal numbers.

      Text-to-image models, with --prompts: prints by the features of a network whether a picture \
      is nearest to its own real picture among all distinct ones of the file (those of all splits \
      together, whatever --splits says), whether that is among the five nearest, the Fréchet and kernel \
      distance to the real pictures of the split, precision, recall, density and coverage, and how much the \
      pictures of one prompt differ. One half of the real pictures is measured against the other as well. \
      The network is EfficientNet-Lite0, which scripts/fetch-efficientnet downloads, or a CLIP: --features.

      Detectors: prints how well they find the objects of the scenes of twinflow data emoji-scenes.

      Benchmarks, with --benchmark: makes the pictures of GenEval, DPG-Bench, GenEval 2, LongText-Bench, \
      OneIG-Bench or emoji-compositions in its own layout, in a folder for each number of steps. A run that was stopped goes on, and a \
      picture that is there is made again only where the weights, the prompt or a setting differ. Pictures that \
      were judged are scored, see twinflow score.

      EXAMPLES
        twinflow evaluate out/twinflow/weights.safetensors --steps 1 2
        twinflow evaluate Assets/fashion-mnist-base.safetensors --steps 50 \\
          --samples 2000 10000
        twinflow evaluate out/emoji --prompts out/emoji-data/splits.jsonl \\
          --sheet sheet.png
        twinflow evaluate out/emoji --prompts out/emoji-data/splits.jsonl \\
          --steps 1 2 --samples-per-prompt 2 --prompts-per-split 200 \\
          --against out/emoji-base
        twinflow evaluate Qwen-Image --benchmark geneval --steps 1 2 --out runs/eval
        twinflow evaluate Assets/emoji --benchmark emoji-compositions --steps 1 50
      """)

  @Argument(
    help: """
      The weights, a safetensors file written by this program, or the folder of a run or a checkpoint; with \
      --prompts or --benchmark also the folder or the name of a model.
      """, transform: pathOption)
  var weights: String

  @Option(
    parsing: .upToNextOption, help: "The numbers of steps, by default 1.",
    transform: integer(SamplerSettings.counts))
  var steps = [1]

  @Option(
    parsing: .upToNextOption,
    help: "The number of pictures measured, by default 2000; several numbers give a row each.",
    transform: integer(Evaluator.samples))
  var samples: [Int] = []

  @Option(
    help: "The classifier's weights; by default \(shippedClassifier).", transform: pathOption)
  var classifier: String?

  @Option(
    help: ArgumentHelp(
      "The folder of Fashion-MNIST; of a detector that of twinflow data emoji-scenes.",
      valueName: "folder"), transform: pathOption)
  var data: String?

  @Option(name: .shortAndLong, help: "A JSON file for the measurements.", transform: pathOption)
  var output: String?

  @OptionGroup(title: "Text-to-image options") var prompts: PromptEvaluationOptions
  @OptionGroup(title: "Benchmark options") var benchmark: BenchmarkOptions
  @OptionGroup(title: "Judges of benchmarks") var judges: JudgeOptions
  @OptionGroup var sampler: SamplerOptions
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    if benchmark.benchmark == nil, let name = judges.given.first {
      throw ValidationError("--\(name) is for benchmarks: name one with --benchmark.")
    }
    guard benchmark.benchmark != nil || prompts.prompts != nil else {
      if let name = prompts.given.first {
        throw ValidationError(
          "--\(name) is for text-to-image models: give their prompts with --prompts, or a --benchmark."
        )
      }
      return
    }
    let classes = [
      ("samples", !samples.isEmpty), ("classifier", classifier != nil), ("data", data != nil),
    ]
    if let (name, _) = classes.first(where: \.1) {
      throw ValidationError(
        "--\(name) is for networks of Fashion-MNIST: leave it out with --prompts and --benchmark.")
    }
    guard benchmark.benchmark != nil else { return }
    let allowed = ["samples-per-prompt", "size", "batch"]
    let others = prompts.given.filter { !allowed.contains($0) } + (output == nil ? [] : ["output"])
    if let name = others.first {
      throw ValidationError(
        "--\(name) is for other prompts: leave it out with --benchmark, whose report is in --out.")
    }
  }

  func run() throws {
    if let kind = benchmark.benchmark {
      let engine = try engine.open()
      let model = EvaluatedModel(path: weights, sampler: sampler, engine: engine)
      try EvaluateBenchmark(
        benchmark: kind, model: model, steps: steps, options: prompts,
        name: benchmark.name ?? model.name, out: benchmark.out ?? BenchmarkOptions.standardOut,
        judge: judges.judgeOfEachRun { engine }
      ).run()
    } else if prompts.prompts != nil {
      try EvaluatePrompts(
        model: weights, steps: steps, options: prompts, sampler: sampler, output: output,
        engine: engine.open()
      ).run()
    } else {
      let weights = try weightsPath(weights)
      if try SceneDetector.isDetector(weights) {
        try evaluateDetector(weights)
      } else {
        try evaluateClasses(weights)
      }
    }
  }

  /// Measures a detector on scenes of emoji.
  private func evaluateDetector(_ weights: String) throws {
    guard let data else {
      throw ValidationError(
        "A detector is measured on scenes: name the folder of twinflow data emoji-scenes with --data."
      )
    }
    let detector = try SceneDetector(weights, on: engine.open())
    var bar: ProgressBar?
    let report = try DetectorReport(detector, folder: data) { done, all in
      if bar == nil { bar = ProgressBar("scene", of: all) }
      bar?.show(done)
    }
    bar?.finish()
    print(report.text)
    if let output { try JSONFile.write(report, to: output) }
  }

  /// Measures a network that takes classes by a classifier.
  private func evaluateClasses(_ weights: String) throws {
    let samples = samples.isEmpty ? [2000] : samples
    let classifier = try SharedFiles.standard.path(classifier ?? shippedClassifier)
    let engine = try engine.open()
    let evaluator = try Evaluator(classifier: classifier, on: engine)
    let file = try ModelFile(weights, on: engine)
    try evaluator.check(file)
    if let output {
      try checkOutput(output, replacesNoneOf: file.paths + WeightFiles(path: classifier).paths)
      try Report.checkReplaceable(output)
    }
    let test = try FashionMNIST(.test, folder: data)
    let training = try FashionMNIST(.training, folder: data)
    let reference = try evaluator.measure(test, counts: [test.count], keepsVectors: true)[0]
    var report = Report(weights: try WeightFiles.contentHash(weights))
    report.features = "\(evaluator.features) features of the classifier"
    let name = URL(fileURLWithPath: weights).deletingPathExtension().lastPathComponent
    for count in steps {
      let bar = ProgressBar("\(count) step\(count == 1 ? "" : "s")", of: samples.max() ?? 0)
      report.rows += try evaluator.rows(
        name, file, settings: sampler.settings(file.card, steps: count),
        guidance: sampler.guidance, samples: samples, seed: sampler.seed,
        reference: reference, compute: sampler.precision.dtype, on: engine,
        progress: { bar.show($0) })
      bar.finish()
    }
    let counts = samples.map { min($0, training.count) }
    let real = try evaluator.measure(training, counts: counts, keepsVectors: true)
    for real in real {
      var row = try Report.Row(
        name: "real training pictures", samples: real.features.count,
        distance: real.features.distance(to: reference.features), accuracy: real.accuracy)
      row.measures = try evaluator.measures(
        of: real, classes: training.classes.map(Int.init), comparedTo: reference)
      report.rows.append(row)
    }
    print(report.table)
    for note in report.notes { print(note) }
    print(String(format: "The classifier's accuracy on the test set is %.3f.", reference.accuracy))
    if let output { try report.write(to: output) }
  }
}
