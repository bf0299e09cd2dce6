import Evaluation
import Foundation
import Pictures
import TestSupport
import Testing

/// `twinflow score` with the reader of texts, and `twinflow read`.
@Suite(.enabled(if: ONNXFiles.networks != nil, "scripts/fetch-ocr was not run"))
struct TextBenchmarkTests {
  private let folder: TemporaryFolder
  private let pictures: String
  private var scores: String { folder.path + "/eval/longtext/pictures" }

  init() throws {
    folder = try TemporaryFolder()
    pictures = folder.path + "/pictures"
    try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
    try page("FRESH", "BREAD").write(to: "\(pictures)/0000_1.png")
    try page("OPEN", "DAILY").write(to: "\(pictures)/0001_1.png")
    _ = try folder.file(
      "prompts.jsonl",
      #"{"prompt_id": 0, "category": "sign", "prompt": "a sign", "text": ["FRESH BREAD"]}"# + "\n"
        + #"{"prompt_id": 1, "category": "sign", "prompt": "two", "text": ["OPEN DAILY TODAY"]}"#
        + "\n")
  }

  private func page(_ lines: String...) throws -> Picture {
    let canvas = try Canvas(width: 320, height: 160)
    for (number, text) in lines.enumerated() {
      canvas.text(text, x: 30, y: 60 + 60 * Double(number), size: 32)
    }
    return canvas.picture
  }

  private func score(_ arguments: String...) throws -> Command.Result {
    try Command.start(
      [
        "score", pictures, "--benchmark", "longtext", "--prompts", folder.path + "/prompts.jsonl",
        "--samples-per-prompt", "1", "--out", folder.path + "/eval",
      ] + arguments
    ).finish()
  }

  private func findings() throws -> [String] {
    try String(contentsOfFile: scores + "/texts.jsonl", encoding: .utf8)
      .split(separator: "\n").map(String.init)
  }

  @Test func picturesAreReadOnce() throws {
    let first = try score()
    #expect(first.status == 0 && first.output.contains("0.800"), "\(first.output)\(first.errors)")
    // Two words of two, and two of three.
    let label = try #require(first.output.firstMatch(of: /judged by PP-OCRv4 [0-9a-f]{8}/))
    #expect(first.output.contains("the published judge is Qwen2.5-VL"))
    let found = try findings()
    #expect(found.count == 2 && found.allSatisfy { $0.contains(#""hash": ""#) })
    #expect(found[1].contains("OPEN DAILY") && found[1].contains("PP-OCRv4"))
    let report = try String(contentsOfFile: folder.path + "/eval/report.json", encoding: .utf8)
    let page = try String(contentsOfFile: folder.path + "/eval/report.html", encoding: .utf8)
    #expect(report.contains("PP-OCRv4") && page.contains(label.output))

    // A picture that is another one is read again, and the others are not.
    try self.page("FRESH", "TODAY").write(to: "\(pictures)/0000_1.png")
    #expect(try score().status == 0)
    let again = try findings()
    #expect(again.count == 3 && Array(again.prefix(2)) == found && again[2].contains("TODAY"))
  }

  @Test func textsOfOtherReadersStay() throws {
    try FileManager.default.createDirectory(atPath: scores, withIntermediateDirectories: true)
    let line = #"{"file": "0000_1.png", "judge": "me", "text": "fresh"}"#
    _ = try folder.file("eval/longtext/pictures/texts.jsonl", line + "\n")
    let partial = try score("--partial")
    #expect(partial.status == 0 && partial.output.contains("judged by me"), "\(partial.errors)")
    #expect(try findings() == [line])
    // A reader that is named does not mix its texts with them.
    let both = try score("--reader", "pp-ocrv4")
    #expect(both.status != 0 && both.errors.contains("another judge found, me"), "\(both.errors)")
    #expect(try findings() == [line])
    let texts = folder.path + "/eval/longtext/pictures/texts.jsonl"
    let given = try score("--texts", texts, "--reader", "pp-ocrv4")
    #expect(given.status != 0 && given.errors.contains("--reader"))
    let missing = try score("--reader", folder.path)
    #expect(missing.status != 0 && missing.errors.contains("*det*.onnx"), "\(missing.errors)")
  }

  @Test func linesArePrinted() throws {
    let result = try Command.run("read", "\(pictures)/0000_1.png", "\(pictures)/0001_1.png")
    let lines = result.output.split(separator: "\n")
    #expect(result.status == 0 && lines.count == 2, "\(result.errors)")
    #expect(lines[0].contains(#""text":"FRESH""#) && lines[0].contains(#""corners":[["#))
    let other = try Command.run("read", folder.path + "/prompts.jsonl")
    #expect(other.status != 0 && other.errors.contains("prompts.jsonl"))
  }
}
