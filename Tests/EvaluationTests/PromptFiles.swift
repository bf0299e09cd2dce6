import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import Tensors
import TestModels
import TestSupport

/// A file of prompts with pictures, and a small text-to-image model with random weights.
struct PromptFiles {
  let folder: TemporaryFolder
  let prompts: String
  let model: String

  /// Two splits; the pictures of the third and the fifth line are equal, in files of their own.
  static let lines = [
    #"{"split": "training", "prompt": "a fox", "picture": "p/0.png", "group": 3}"#,
    #"{"split": "training", "prompt": "a red cat", "picture": "p/1.png"}"#,
    #"{"split": "training", "prompt": "the dog", "picture": "p/2.png"}"#, "",
    #"{"split": "held-out", "prompt": "a house on a hill", "picture": "p/3.png"}"#,
    #"{"split": "held-out", "prompt": "the green dog", "picture": "p/4.png"}"#,
  ]

  init() throws {
    folder = try TemporaryFolder()
    (prompts, model) = ("\(folder.path)/splits.jsonl", "\(folder.path)/model")
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/p", withIntermediateDirectories: true)
    for (number, pattern) in [3, 5, 7, 11, 7].enumerated() {
      let values = (0..<16 * 16 * 3).map { UInt8(truncatingIfNeeded: $0 * $0 / pattern * pattern) }
      let picture = Picture(width: 16, height: 16, channels: 3, values: values)
      try picture.write(
        to: "\(folder.path)/p/\(number).png", texts: [(key: "number", text: "\(number)")])
    }
    try write(Self.lines)
    try SmallTextDiT.write(model, encoder: "\(folder.path)/bert")
  }

  /// Replaces the file of prompts.
  func write(_ lines: [String]) throws {
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: prompts))
  }

  func pipeline() throws -> ImagePipeline {
    try ImagePipeline(ModelFolder(model), on: SharedEngine.get())
  }
}
