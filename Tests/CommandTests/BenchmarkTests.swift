import Evaluation
import Foundation
import Pictures
import TestSupport
import Testing

/// `twinflow evaluate --benchmark` and `twinflow score` on a small run.
@Suite struct BenchmarkTests {
  private let model: SmallPromptModel
  private let prompts: String
  private var out: String { model.folder.path + "/eval" }
  private var folder: String { "\(out)/geneval/base-1-step" }

  init() throws {
    model = try SmallPromptModel()
    prompts = try model.folder.file(
      "geneval.jsonl",
      #"{"tag": "single_object", "include": [{"class": "cat", "count": 1}], "prompt": "a red cat"}"#
        + "\n"
        + #"{"tag": "counting", "include": [{"class": "dog", "count": 1}], "prompt": "the dog"}"#
        + "\n")
  }

  private func evaluate(_ arguments: String..., into folder: String? = nil) throws -> Command.Result
  {
    try model.run(
      [
        "evaluate", model.folder.path + "/base", "--benchmark", "geneval", "--prompts", prompts,
        "--samples-per-prompt", "2", "--out", folder ?? out,
      ] + arguments)
  }

  private func picture(_ name: String, in folder: String? = nil) throws -> Picture {
    try Picture.read("\(folder ?? self.folder)/pictures/\(name)").picture
  }

  private func detections(_ names: [String], _ score: Double = 0.95) throws -> String {
    let lines = names.enumerated().map { number, name in
      #"{"file": "0000\#(number / 2)/samples/000\#(number % 2).png", "detections": "#
        + #"[{"class": "\#(name)", "box": [1, 1, 9, 9], "score": \#(score)}]}"# + "\n"
    }
    return try model.folder.file("detections.jsonl", lines.joined())
  }

  @Test func picturesAreMadeOnceAndScored() throws {
    #expect(try model.train().status == 0)
    let first = try evaluate()
    #expect(first.status == 0 && first.errors.contains("4 of 4 pictures"), "\(first.errors)")
    #expect(first.errors.contains("have not been judged"))
    let names = ["00000/samples/0000.png", "00000/samples/0001.png", "00001/samples/0000.png"]
    let made = try names.map { try picture($0) }
    #expect(made[0].width == 16 && made[0] != made[1])
    let metadata = try String(
      contentsOfFile: "\(folder)/pictures/00000/metadata.jsonl", encoding: .utf8)
    #expect(try String(contentsOfFile: prompts, encoding: .utf8).hasPrefix(metadata + "\n"))

    // What is there is kept; what is gone or truncated is made again, the same.
    #expect(try evaluate().errors.contains("0 of 4 pictures"))
    try FileManager.default.removeItem(atPath: "\(folder)/pictures/\(names[0])")
    let cut = URL(fileURLWithPath: "\(folder)/pictures/\(names[2])")
    try Data(contentsOf: cut).dropLast(40).write(to: cut)
    #expect(try evaluate().errors.contains("2 of 4 pictures"))
    let other = model.folder.path + "/single"
    #expect(try evaluate("--batch", "1", into: other).status == 0)
    for (name, old) in zip(names, made) {
      for place in [folder, "\(other)/geneval/base-1-step"] {
        let new = try picture(name, in: place)
        #expect(zip(new.values, old.values).allSatisfy { abs(Int($0) - Int($1)) <= 1 }, "\(name)")
      }
    }

    let scored = try model.run(
      ["score", folder, "--detections", detections(["cat", "dog", "dog", "dog"])])
    #expect(
      scored.status == 0 && scored.output.contains("0.750 [0.500, 1.000]"), "\(scored.errors)")
    let page = try String(contentsOfFile: "\(folder)/report.html", encoding: .utf8)
    #expect(
      page.contains("expected cat&gt;=1, found 0") && page.contains("data:image/jpeg;base64,"))
    // Findings that are wrong leave what was scored before.
    let wrong = try model.run([
      "score", folder, "--detections", detections(["cat", "dragon", "dog", "dog"]),
    ])
    #expect(wrong.status != 0 && wrong.errors.contains("line 2: it has a \"dragon\""))
    let report = try JSONDecoder().decode(
      BenchmarkReport.self, from: Data(contentsOf: URL(filePath: "\(folder)/report.json")))
    #expect(report.runs.map(\.overall.value) == [0.75] && report.runs[0].run.seed == 0)
    #expect(try model.run(["score", out]).output.contains("0.750"))
    let measured = try model.run(
      ["score", out, "--diversity", "--real", model.folder.path + "/data"])
    #expect(measured.output.contains("diversity of a prompt's pictures (EfficientNet-Lite0"))
    #expect(measured.output.contains("frechet distance to 4 real pictures"), "\(measured.errors)")
    let clip = model.folder.path + "/clip"
    try SmallJudges.writeCLIP(clip)
    let byCLIP = try model.run(["score", out, "--diversity", "--features", clip])
    #expect(byCLIP.output.contains("pictures (CLIP "), "\(byCLIP.errors)")

    // Other noise is another picture, and what was found in the old ones is gone.
    let again = try evaluate("--seed", "7", "--steps", "1", "2")
    #expect(again.errors.contains("4 of 4 pictures"), "\(again.errors)")
    #expect(again.errors.contains("What was found in 4 pictures that are made again is removed"))
    #expect(FileManager.default.fileExists(atPath: "\(out)/geneval/base-2-steps/benchmark.json"))
  }

  @Test func picturesMadeElsewhereAreScored() throws {
    let questions = try model.folder.file(
      "questions.csv",
      """
      item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,question_natural_language
      item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,question_natural_language
      a,the dog,,1,0,,,entity - whole (dog),Is there a dog?

      """)
    #expect(try model.train().status == 0)
    let made = try model.run([
      "evaluate", model.folder.path + "/base", "--benchmark", "dpg", "--prompts", questions,
      "--out",
      out, "--name", "mine",
    ])
    #expect(made.status == 0, "\(made.errors)")
    let grid = try Picture.read("\(out)/dpg/mine-1-step/pictures/a.png")
    #expect(grid.picture.width == 32 && grid.texts["twinflow.grid"] != nil)
    // The same pictures as those of another program.
    let answers = try model.folder.file(
      "answers.jsonl",
      #"{"file": "a.png", "crops": [{"1": "yes"}, {"1": "no"}, {"1": "yes"}, {"1": "yes"}]}"# + "\n"
    )
    let scores = model.folder.path + "/scores"
    let scored = try model.run([
      "score", "\(out)/dpg/mine-1-step/pictures", "--benchmark", "dpg", "--prompts", questions,
      "--answers", answers, "--out", scores, "--name", "other",
    ])
    #expect(scored.status == 0 && scored.output.contains("0.750"), "\(scored.errors)")
    #expect(FileManager.default.fileExists(atPath: scores + "/dpg/other/scores.json"))
  }

  @Test func badInputIsOneMessage() throws {
    #expect(try model.train().status == 0)
    let base = model.folder.path + "/base"
    let empty = try TemporaryFolder()
    let foreign = model.folder.path + "/foreign"
    let place = "\(foreign)/geneval/base-1-step/pictures/00000/samples"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try Picture(width: 1, height: 1, channels: 3, values: [1, 2, 3]).write(to: "\(place)/0000.png")
    let cases: [(arguments: [String], hint: String)] = [
      (["evaluate", base, "--benchmark", "dpg"], "github.com/TencentQQGYLab/ELLA"),
      (["evaluate", base, "--benchmark", "geneval2"], "CC BY-NC"),
      (["evaluate", base, "--benchmark", "geneval", "--splits", "a"], "--splits"),
      (["evaluate", base, "--benchmark", "geneval", "--samples", "100"], "--samples"),
      (["evaluate", base, "--out", empty.path], "--benchmark"),
      (["evaluate", base, "--size", "16x16"], "--prompts"),
      (
        ["evaluate", base, "--benchmark", "longtext", "--prompts", prompts],
        "line 1: it has no `prompt_id`"
      ),
      (
        ["evaluate", base, "--benchmark", "geneval", "--prompts", prompts, "--out", foreign],
        "was not made by this program"
      ), (["score", empty.path], "No run of a benchmark"),
      (
        ["score", empty.path, "--benchmark", "geneval", "--out", empty.path + "/out"], "553 missing"
      ),
      (["score", empty.path, "--benchmark", "geneval", "--answers", "a"], "--detections"),
      (["score", empty.path, "--detections", "a", "--texts", "b"], "different benchmarks"),
      (["score", empty.path, "--prompts", prompts], "--benchmark"),
      (["score", empty.path, "--benchmark", "geneval", "--name", "../a"], "--name"),
    ]
    for (arguments, hint) in cases {
      let result = try model.run(arguments)
      #expect(result.status != 0 && result.errors.contains(hint), "\(arguments): \(result.errors)")
    }
  }
}
