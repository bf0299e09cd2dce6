import Foundation
import Pictures

@testable import Evaluation

/// A folder with prompts, pictures and findings of a benchmark; it is gone with this object.
final class BenchmarkFiles {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "benchmark-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: path + "/pictures", withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a text.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    let place = "\(path)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: place))
    return place
  }

  /// Writes a picture of one color into the folder of pictures.
  func picture(_ name: String, width: Int = 8, height: Int = 8, gray: UInt8 = 100) throws {
    let place = "\(path)/pictures/\(name)"
    try FileManager.default.createDirectory(
      atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Picture(
      width: width, height: height, channels: 3,
      values: [UInt8](repeating: gray, count: width * height * 3)
    ).write(to: place)
  }

  /// The scoring of the pictures.
  func scoring(
    _ benchmark: Benchmark, _ prompts: String, count: Int, size: [Int]? = nil,
    isPartial: Bool = false
  ) throws -> BenchmarkScoring {
    var run = BenchmarkRun(benchmark, name: "model", prompts: prompts, picturesPerPrompt: count)
    run.size = size
    return try BenchmarkScoring(run, in: path, isPartial: isPartial)
  }

  /// Two prompts of GenEval with two pictures each.
  func geneval() throws {
    try write(
      #"{"tag": "single_object", "include": [{"class": "cow", "count": 1}], "prompt": "a cow"}"#
        + "\n"
        + #"{"tag": "colors", "include": [{"class": "dog", "count": 1, "color": "red"}], "prompt": "a red dog"}"#
        + "\n", to: "prompts.jsonl")
    for prompt in 0..<2 {
      for sample in 0..<2 { try picture("0000\(prompt)/samples/000\(sample).png") }
    }
  }

  /// A line about a picture of GenEval with one object.
  static func line(_ file: String, _ name: String, color: String? = nil) -> String {
    let color = color.map { #", "color": "\#($0)""# } ?? ""
    return #"{"file": "\#(file)", "judge": "test", "detections": [{"class": "\#(name)", "#
      + #""box": [0, 0, 4, 4], "score": 0.95\#(color)}]}"# + "\n"
  }
}
