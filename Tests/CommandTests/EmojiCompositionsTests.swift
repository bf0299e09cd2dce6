import Evaluation
import Foundation
import TestSupport
import Testing

/// The benchmark emoji-compositions from the data to the report, on patterns in place of emoji.
@Suite struct EmojiCompositionsCommandTests {
  private let model: SmallPromptModel
  private var folder: String { model.folder.path }

  init() throws { model = try SmallPromptModel() }

  private func scenes() throws -> Command.Result {
    try EmojiPictures.write(to: folder + "/emoji")
    return try model.run([
      "data", "emoji-scenes", folder + "/emoji", folder + "/scenes", "--scenes", "6", "--tests",
      "6", "--samples-per-prompt", "0",
    ])
  }

  @Test func aModelIsScoredByTheShippedDetector() throws {
    #expect(try model.train().status == 0)
    let prompts = try model.folder.file(
      "prompts.jsonl",
      #"{"tag": "single_object", "include": [{"class": "cat", "count": 1}], "prompt": "a cat"}"#
        + "\n"
        + #"{"tag": "colors", "include": [{"class": "car", "count": 1, "color": "red"}], "#
        + #""prompt": "a red car", "held_out": true}"# + "\n")
    let result = try model.run([
      "evaluate", folder + "/base", "--benchmark", "emoji-compositions", "--prompts", prompts,
      "--steps", "1", "2", "--out", folder + "/eval",
    ])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("held-out combinations"))
    let place = "\(folder)/eval"
    let report = try JSONDecoder().decode(
      BenchmarkReport.self, from: Data(contentsOf: URL(filePath: "\(place)/report.json")))
    #expect(report.runs.map(\.pictures.count) == [4, 4])
    #expect(report.runs.allSatisfy { $0.judges.count == 1 && $0.judges[0].contains("detector") })
    let lines = try String(
      contentsOfFile: "\(place)/emoji-compositions/base-1-step/detections.jsonl", encoding: .utf8)
    #expect(lines.split(separator: "\n").count == 4)
    // Pictures that were judged are not judged again.
    #expect(try model.run(["score", place]).status == 0)
    #expect(
      try String(
        contentsOfFile: "\(place)/emoji-compositions/base-1-step/detections.jsonl",
        encoding: .utf8) == lines)

    // The page has the boxes of what was found.
    let found = (0..<4).map { number in
      #"{"file": "0000\#(number / 2)/samples/000\#(number % 2).png", "detections": "#
        + #"[{"class": "car", "box": [2, 3, 9, 9], "score": 0.9, "color": "red"}]}"# + "\n"
    }
    let detections = try model.folder.file("detections.jsonl", found.joined())
    let scored = try model.run([
      "score", "\(place)/emoji-compositions/base-1-step", "--detections", detections,
    ])
    #expect(scored.output.contains("0.500"), "\(scored.errors)")
    let page = try String(
      contentsOfFile: "\(place)/emoji-compositions/base-1-step/report.html", encoding: .utf8)
    #expect(page.contains("<svg viewBox=\"0 0 16 16\"><rect x=\"2.0\" y=\"3.0\""))
    #expect(page.contains("<title>red car</title>"))
  }

  @Test func scenesAreMadeAndADetectorIsMeasured() throws {
    let made = try scenes()
    #expect(made.status == 0 && made.output.contains("6 training scenes"), "\(made.errors)")
    let measured = try model.run([
      "evaluate", "Assets/benchmarks/emoji-compositions/detector.safetensors", "--data",
      folder + "/scenes", "--output", folder + "/detector.json",
    ])
    #expect(
      measured.status == 0 && measured.output.contains("average precision"), "\(measured.errors)")
    let report = try JSONDecoder().decode(
      DetectorReport.self,
      from: Data(contentsOf: URL(filePath: "\(folder)/detector.json")))
    #expect(report.scenes == 6)
    // What is there is kept.
    #expect(try scenes().errors.contains("scenes"))
  }

  @Test func badInputIsNamed() throws {
    let none = try model.run([
      "data", "emoji-scenes", folder + "/nothing", folder + "/scenes",
    ])
    #expect(none.status != 0 && none.errors.contains("nothing/train/cat-face.png"))
    let detector = "Assets/benchmarks/emoji-compositions/detector.safetensors"
    let unnamed = try model.run(["evaluate", detector])
    #expect(unnamed.status != 0 && unnamed.errors.contains("with --data"), "\(unnamed.errors)")
    _ = try model.folder.file(
      "test.jsonl", #"{"file": "a.png", "objects": [{"class": "cat", "box": [1, 2]}]}"# + "\n")
    let damaged = try model.run(["evaluate", detector, "--data", folder])
    #expect(
      damaged.status != 0 && damaged.errors.contains("line 1: the `box` of a cat"),
      "\(damaged.errors)")
  }
}
