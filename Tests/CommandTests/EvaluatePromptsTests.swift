import Evaluation
import Foundation
import Pictures
import Testing

/// `twinflow evaluate --prompts` on a small run.
@Suite struct EvaluatePromptsTests {
  private let model: SmallPromptModel
  private var folder: TemporaryFolder { model.folder }
  private var prompts: String { model.prompts }
  private var features: String { model.features }

  init() throws { model = try SmallPromptModel() }

  private func evaluate(_ arguments: String...) throws -> Command.Result {
    try Command.start(
      ["evaluate", folder.path + "/base", "--prompts", prompts, "--features", features] + arguments
    ).finish()
  }

  @Test func aRunIsMeasuredAgainstABase() throws {
    let trained = try model.train()
    #expect(trained.status == 0, "\(trained.errors)")
    let (report, sheet) = (folder.path + "/report.json", folder.path + "/sheet.png")
    let base = folder.path + "/base"
    let result = try evaluate(
      "--steps", "1", "2", "--samples-per-prompt", "2", "--against", base, "--against-steps", "3",
      "--output", report, "--sheet", sheet)
    #expect(result.status == 0, "\(result.errors)")
    for text in ["held-out", "real pictures", "base in 3 steps:", "EfficientNet-Lite0"] {
      #expect(result.output.contains(text), "\(result.output)")
    }
    let read = try JSONDecoder().decode(
      PromptReport.self, from: Data(contentsOf: URL(filePath: report)))
    #expect(read.rows.map(\.steps) == [1, 1, 2, 2, 3, 3, nil, nil])
    #expect(read.rows[0].guidance == 1.5 && read.gallery == 4 && read.comparisons.count == 4)
    #expect(try Picture.read(sheet).picture.width > 100)
    let again = try evaluate(
      "--samples-per-prompt", "2", "--splits", "training", "--against", report, "--against-steps",
      "3")
    #expect(again.status == 0 && again.output.contains("Of "), "\(again.errors)")
    #expect(read.models.count == 1)
    let plain = try evaluate("--guidance", "0", "--splits", "training")
    #expect(plain.status == 0, "\(plain.errors)")
    #expect(plain.output.contains("--samples-per-prompt") && !plain.output.contains("held-out "))
  }

  /// The log of a run has what the command says of its last weights.
  @Test func aRunIsMeasuredInTraining() throws {
    let trained = try model.train(
      "evaluate_every=1", "evaluate_prompts=\(prompts)", "evaluate_splits=[held-out]",
      "evaluate_steps=[2]", "evaluate_count=2", "keep_best=retrieval_top_1/held-out/2_steps",
      "checkpoint_every=1")
    #expect(trained.status == 0, "\(trained.errors)")
    let log = try String(contentsOfFile: folder.path + "/base/log.jsonl", encoding: .utf8)
    let lines = try log.split(separator: "\n").map {
      try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))
    }.filter { $0["diversity/held-out/2_steps"] != nil }
    #expect(lines.map { $0["step"] } == [1, 2])
    let report = folder.path + "/report.json"
    let result = try evaluate(
      "--steps", "2", "--samples-per-prompt", "2", "--splits", "held-out", "--output", report)
    #expect(result.status == 0, "\(result.errors)")
    let row = try JSONDecoder().decode(
      PromptReport.self, from: Data(contentsOf: URL(filePath: report))
    ).rows[0]
    for (name, value) in row.measures.named where !name.hasPrefix("retrieval_top_5") {
      guard let own = lines.last?["\(name)/held-out/2_steps"] else { continue }
      #expect(abs(own - value) < 1e-3 * max(1, abs(value)), "\(name)")
    }
    #expect(lines[0]["retrieval_top_1/held-out/2_steps"] != nil)
    for (setting, hint) in [
      ("evaluate_prompts=\(folder.path)/none.jsonl", "none.jsonl"),
      ("evaluate_splits=[test]", "it has training, held-out"),
      ("evaluate_prompts=null", "evaluate_prompts"),
    ] {
      let other = try model.train(
        "evaluate_every=1", "evaluate_prompts=\(prompts)", setting,
        "output=\(folder.path)/other")
      #expect(other.status != 0 && other.errors.contains(hint), "\(other.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.path + "/other"))
    }
  }

  @Test func badInputIsOneMessage() throws {
    #expect(try model.train().status == 0)
    let cases: [(arguments: [String], hint: String)] = [
      (["--splits", "test"], "it has training, held-out"), (["--samples", "100"], "--samples"),
      (["--style", "few"], "Leave out --style"), (["--size", "15x16"], "16x16"),
      (["--output", prompts], prompts), (["--sheet", "README.md"], "README.md"),
      (["--against", "/nowhere"], "/nowhere"),
      (["--against", "/nowhere.json"], "/nowhere.json"),
      (["--features", "README.md"], "README.md"),
    ]
    for (arguments, hint) in cases {
      let result = try Command.start(
        [
          "evaluate", folder.path + "/base", "--prompts", prompts,
        ] + (arguments[0] == "--features" ? [] : ["--features", features]) + arguments
      ).finish()
      #expect(result.status != 0 && result.errors.contains(hint), "\(arguments): \(result.errors)")
    }
    let other = try Command.run("evaluate", folder.path + "/base", "--splits", "training")
    #expect(other.status != 0 && other.errors.contains("--prompts"))
  }
}
