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
    abstract: "Measures generated pictures against real ones.",
    discussion: """
      Prints the Fréchet distance of a classifier's features to those of the 10,000 test pictures,
      and the fraction of the pictures classified as the requested class. The same number of real
      training pictures is measured as well: no generator can be expected to come closer. The distance
      depends on the number of samples, so compare only equal numbers.

      EXAMPLES
        twinflow evaluate out/twinflow/weights.safetensors --steps 1 2
        twinflow evaluate Assets/fashion-mnist-base.safetensors --steps 50 --samples 2000 10000
      """)

  @Argument(
    help: "The weights, a safetensors file written by this program.", transform: pathOption)
  var weights: String

  @Option(
    parsing: .upToNextOption, help: "The numbers of steps.",
    transform: integer(SamplerSettings.counts))
  var steps = [1]

  @Option(
    parsing: .upToNextOption,
    help: "The number of pictures measured; several numbers give a row each.",
    transform: integer(Evaluator.samples))
  var samples = [2000]

  @Option(help: "The classifier's weights.", transform: pathOption)
  var classifier = shippedClassifier

  @Option(
    help: ArgumentHelp("The folder of Fashion-MNIST.", valueName: "folder"), transform: pathOption)
  var data: String?

  @Option(name: .shortAndLong, help: "A JSON file for the measurements.", transform: pathOption)
  var output: String?

  @OptionGroup var sampler: SamplerOptions
  @OptionGroup var engine: EngineOptions

  func run() throws {
    let weights = try weightsPath(weights)
    let classifier = try SharedFiles.standard.path(classifier)
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
    let reference = try evaluator.measure(test, counts: [test.count])[0]
    var report = Report(weights: try WeightFiles.contentHash(weights))
    let name = URL(fileURLWithPath: weights).deletingPathExtension().lastPathComponent
    for count in steps {
      let bar = ProgressBar("\(count) step\(count == 1 ? "" : "s")", of: samples.max() ?? 0)
      report.rows += try evaluator.rows(
        name, file, settings: sampler.settings(file.card, steps: count),
        guidance: sampler.guidance, samples: samples, seed: sampler.seed,
        reference: reference.features, compute: sampler.precision.dtype, on: engine,
        progress: { bar.show($0) })
      bar.finish()
    }
    let counts = samples.map { min($0, training.count) }
    report.rows += try evaluator.measure(training, counts: counts).map { real in
      try Report.Row(
        name: "real training pictures", samples: real.features.count,
        distance: real.features.distance(to: reference.features), accuracy: real.accuracy)
    }
    print(report.table)
    print(String(format: "The classifier's accuracy on the test set is %.3f.", reference.accuracy))
    if let output { try report.write(to: output) }
  }
}
