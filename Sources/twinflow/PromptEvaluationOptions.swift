import ArgumentParser
import Evaluation
import Flow
import Foundation
import Models
import Runtime

/// The options of `twinflow evaluate` for text-to-image models.
struct PromptEvaluationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A file of prompts, which a text-to-image model is measured on.",
      discussion: """
        A line is a JSON object with the key prompt and, where there are any, picture (the real picture \
        of the prompt, relative to the file) and split; other keys are ignored.
        """, valueName: "file.jsonl"),
    transform: pathOption)
  var prompts: String?

  @Option(
    parsing: .upToNextOption,
    help: "The splits that are measured, a row each; by default all of the file.")
  var splits: [String] = []

  @Option(
    help: ArgumentHelp(
      "The most prompts of a split, chosen evenly over it by the seed; by default all.",
      valueName: "number"),
    transform: integer(1...1_000_000))
  var promptsPerSplit: Int?

  @Option(
    help: ArgumentHelp(
      "The pictures of each prompt, by default 1; diversity needs 2 or more.",
      discussion: "By default of a benchmark as many as published.", valueName: "number"),
    transform: integer(1...PromptEvaluation.mostSamples))
  var samplesPerPrompt: Int?

  @Option(
    help: ArgumentHelp(
      "A base model to compare with, on the same prompts and noise.",
      discussion: "Or the JSON file of an earlier evaluation that has measured it.",
      valueName: "model"),
    completion: .directory, transform: pathOption)
  var against: String?

  @Option(
    help: ArgumentHelp(
      "The number of steps of the base model, by default 50.", valueName: "number"),
    transform: integer(SamplerSettings.counts))
  var againstSteps = 50

  @Option(
    help: ArgumentHelp(
      "The scale of guidance of the base model; by default that of its weights.",
      valueName: "scale"),
    transform: number(0...1000))
  var againstGuidance: Double?

  @Option(
    help: ArgumentHelp(
      "The network whose features are compared: EfficientNet-Lite0's file, by default that of "
        + "scripts/fetch-efficientnet, or a CLIP.",
      valueName: "network"),
    transform: pathOption)
  var features: String?

  @Option(
    help: ArgumentHelp(
      "The width and height of the pictures; by default those of the model.",
      valueName: "width>x<height"),
    transform: sizeOption)
  var size: ImageSize?

  @Option(
    help: ArgumentHelp(
      "The number of pictures that are made together; by default as many as seems fit.",
      valueName: "number"),
    transform: integer(1...1024))
  var batch: Int?

  @Option(
    help: ArgumentHelp(
      "A PNG file for a page of some prompts, real pictures beside the others.",
      valueName: "file.png"),
    transform: pathOption)
  var sheet: String?

  /// The options that were given, apart from the prompts.
  var given: [String] {
    let given: [(String, Bool)] = [
      ("splits", !splits.isEmpty), ("prompts-per-split", promptsPerSplit != nil),
      ("samples-per-prompt", samplesPerPrompt != nil), ("against", against != nil),
      ("against-steps", againstSteps != 50), ("against-guidance", againstGuidance != nil),
      ("features", features != nil), ("size", size != nil), ("batch", batch != nil),
      ("sheet", sheet != nil),
    ]
    return given.filter(\.1).map(\.0)
  }
}
