import ArgumentParser
import Datasets
import Evaluation
import Foundation

/// `twinflow data emoji-scenes`
struct EmojiScenes: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "emoji-scenes",
    abstract: "Makes scenes of emoji at known boxes: the data of emoji-compositions.",
    discussion: """
      Writes pictures of 64 × 64 with one to four emoji and their prompts (train), scenes that a detector is \
      measured on (test, test.jsonl), the prompts of the benchmark (prompts.jsonl), and scenes of these prompts \
      (real), whose score is the upper bound. Equal settings give equal files.

      EXAMPLES
        scripts/emoji-data out/emoji-data
        twinflow data emoji-scenes out/emoji-data out/emoji-scenes
        twinflow evaluate Assets/benchmarks/emoji-compositions/detector.safetensors \\
          --data out/emoji-scenes
        twinflow score out/emoji-scenes/real --benchmark emoji-compositions \\
          --name "real scenes"
      """)

  @Argument(help: "The folder of scripts/emoji-data.", transform: pathOption)
  var emoji: String

  @Argument(help: "The folder to make.", transform: pathOption)
  var folder: String

  @Option(
    help: ArgumentHelp("The number of training scenes.", valueName: "number"),
    transform: integer(1...99_999))
  var scenes = 12_000

  @Option(
    help: ArgumentHelp("The number of test scenes.", valueName: "number"),
    transform: integer(1...99_999))
  var tests = 2000

  @Option(
    help: ArgumentHelp("The number of real scenes of each prompt.", valueName: "number"),
    transform: integer(0...9))
  var samplesPerPrompt = Benchmark.emojiCompositions.picturesPerPrompt

  @Option(help: "The seed of the scenes.")
  var seed: UInt64 = 1

  func run() throws {
    let pictures = try ScenePictures(emoji)
    let count = scenes + tests + samplesPerPrompt * SceneRequest.benchmark.count
    let bar = ProgressBar("scene", of: count)
    try SceneFolder(pictures, seed: seed).write(
      to: folder, training: scenes, test: tests, samples: samplesPerPrompt
    ) { bar.show($0) }
    bar.finish()
    print(
      "\(scenes) training scenes, \(tests) test scenes and \(SceneRequest.benchmark.count) prompts "
        + "are in \(folder).")
  }
}
