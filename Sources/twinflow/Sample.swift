import ArgumentParser
import Files
import Flow
import Foundation
import Pictures
import Tensors
import Pipelines
import Runtime
import Training

/// `twinflow sample`
struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generates pictures with trained weights.",
    discussion: """
      Writes one PNG sheet with a row for each class; its text chunks hold the settings.

      EXAMPLES
        twinflow sample out/twinflow/weights.safetensors --steps 1
        twinflow sample Assets/fashion-mnist-base.safetensors --steps 50 --output base.png
      """)

  @Argument(
    help: "The weights: a file that this program has written, or the folder of a run.",
    transform: pathOption)
  var weights: String

  @Option(help: "The number of steps.", transform: integer(SamplerSettings.counts))
  var steps = 1

  // A page can be 32,767 pixels wide.
  @Option(help: "The number of pictures of each class.", transform: integer(1...500))
  var columns = 10

  @Option(name: .shortAndLong, help: "The PNG file to write.", transform: pathOption)
  var output = "samples.png"

  @OptionGroup var sampler: SamplerOptions
  @OptionGroup var engine: EngineOptions

  func run() throws {
    let weights = try weightsPath(weights)
    let engine = try engine.open()
    let file = try ModelFile(weights, on: engine)
    try checkOutput(output, replacesNoneOf: file.paths)
    try FileKind.png.checkReplaceable(output)
    let settings = sampler.settings(file.card, steps: steps)
    let guidance = sampler.guidance ?? file.card.guidance
    let name = URL(fileURLWithPath: weights).deletingPathExtension().lastPathComponent
    let start = ContinuousClock.now
    var bar: ProgressBar?
    let (sheet, texts) = try Gallery(
      engine: engine, seed: sampler.seed, compute: sampler.precision.dtype
    ).sheet(
      file, settings, guidance: guidance, title: name,
      caption: "\(steps) step\(steps == 1 ? "" : "s")", columns: columns
    ) { done, total in
      // A short run shows no bar.
      if bar == nil, (ContinuousClock.now - start).seconds > 2, done < total {
        bar = ProgressBar("Steps", of: total)
      }
      bar?.show(done)
    }
    bar?.finish()
    try sheet.picture.write(to: output, texts: texts)
    let seconds = (ContinuousClock.now - start).seconds
    print("Made \(sheet.pictures.count) pictures in \(seconds.secondsText): \(output)")
  }
}
