import Foundation
import Pictures
import TestSupport

/// Some pictures with prompts, a text encoder, and a recipe of a small text-to-image model.
struct SmallPromptModel {
  let folder: TemporaryFolder
  /// The file of prompts, two of each of two splits.
  let prompts: String
  /// The file of the network whose features measure pictures.
  let features: String

  init() throws {
    folder = try TemporaryFolder()
    let data = folder.path + "/data"
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
    try BertFolder.write(folder.path + "/bert")
    var lines = ""
    for (number, prompt) in ["a fox", "a red cat", "the dog", "a house"].enumerated() {
      let values = (0..<20 * 20 * 3).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
      try Picture(width: 20, height: 20, channels: 3, values: values)
        .write(to: "\(data)/\(number).png")
      _ = try folder.file("data/\(number).txt", prompt + "\n")
      let split = number < 2 ? "training" : "held-out"
      lines += #"{"prompt": "\#(prompt)", "picture": "data/\#(number).png", "split": "\#(split)"}"#
      lines += "\n"
    }
    prompts = try folder.file("splits.jsonl", lines)
    // Where the program looks for it: a file is read by what is in it.
    let models = folder.path + "/models/efficientnet-lite0"
    try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
    features = models + "/efficientnet-lite0.pth"
    try FeatureWeights.write(to: features)
  }

  /// Writes the recipe of a run in the folder `base`.
  func recipe() throws -> String {
    try folder.file(
      "recipe.yaml",
      """
      model: {kind: text-dit, size: 16, width: 16, depth: 1, heads: 2, text_width: 12}
      encoders: \(folder.path)/bert
      objective: {preset: flow-matching}
      data: {kind: images, folder: \(folder.path)/data, size: [16, 16]}
      optimizer: {kind: adamw, learning_rate: 1e-2}
      condition_dropout: 0.2
      guidance: 1.5
      batch: 4
      steps: 2
      output: \(folder.path)/base
      """)
  }

  /// Runs a command that finds the network of the features.
  func run(_ arguments: [String]) throws -> Command.Result {
    try Command.start(arguments, environment: ["TWINFLOW_MODELS": folder.path + "/models"])
      .finish()
  }

  /// Trains the model.
  func train(_ settings: String...) throws -> Command.Result {
    try run(["train", recipe()] + settings.flatMap { ["--set", $0] })
  }
}
