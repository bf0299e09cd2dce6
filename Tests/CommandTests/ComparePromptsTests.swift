import Comparison
import Foundation
import Pictures
import Testing

/// `twinflow compare` on a small text-to-image model.
@Suite struct ComparePromptsTests {
  private let model: SmallPromptModel
  private var path: String { model.folder.path }

  init() throws { model = try SmallPromptModel() }

  private func comparison(_ prompts: String) throws -> String {
    try model.folder.file(
      "comparison.yaml",
      """
      title: Small
      recipe: \(model.recipe())
      evaluations: 60
      learning_rates: [1e-3, 1e-2]
      steps: [1, 2]
      samples: 8
      \(prompts)
      output: \(path)/compared
      methods:
        - {name: flow matching, set: ["start=\(path)/base"]}
        - {name: RCGM, set: ["start=\(path)/base", "objective={preset: rcgm}", optimizer.learning_rate=1e-3]}
      """)
  }

  @Test func methodsAreMeasuredOnPrompts() throws {
    let trained = try model.train()
    try #require(trained.status == 0, "\(trained.errors)")
    let recipe = try comparison("prompts: {file: \(model.prompts), split: training}")
    // The recipe itself starts from nothing; here all start from the base model.
    let text = try String(contentsOfFile: model.recipe(), encoding: .utf8)
    _ = try model.folder.file("recipe.yaml", text + "\nstart: \(path)/base\n")
    let result = try model.run(["compare", recipe])
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(
      ComparisonReport.self, from: Data(contentsOf: URL(filePath: path + "/compared/report.json")))
    #expect(report.rows.map(\.name) == ["base", "flow matching", "RCGM"] && report.missing.isEmpty)
    let base = report.rows[0]
    #expect(base.trainingSteps == 0 && base.learningRate == nil && base.scores.count == 2)
    for row in report.rows {
      for score in row.scores {
        let score = try #require(score)
        #expect(score.distance > 0 && (0...1).contains(score.accuracy) && score.diversity != nil)
      }
    }
    #expect(result.errors.contains("flow matching: the learning rate is"))
    #expect(try Picture.read(path + "/compared/one-step.png").picture.width > 100)
    let again = try model.run(["compare", recipe])
    #expect(again.output == result.output && !again.errors.contains("from step 0"))
  }

  @Test func accuracyIsTheScoreOfABenchmark() throws {
    let trained = try model.train()
    try #require(trained.status == 0, "\(trained.errors)")
    let prompts = try model.folder.file(
      "benchmark.jsonl",
      ["a cat", "three stars"].enumerated().map { number, prompt in
        #"{"prompt": "\#(prompt)", "picture": "data/\#(number).png"}"# + "\n"
      }.joined())
    let recipe = try comparison("prompts: {file: \(prompts), benchmark: emoji-compositions}")
    let text = try String(contentsOfFile: model.recipe(), encoding: .utf8)
    _ = try model.folder.file("recipe.yaml", text + "\nstart: \(path)/base\n")
    let settings = ["--set", "methods=[{name: flow matching}]", "--set", "learning_rates=null"]
    let result = try model.run(["compare", recipe] + settings)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(
      ComparisonReport.self, from: Data(contentsOf: URL(filePath: path + "/compared/report.json")))
    #expect(report.names.accuracy == "the overall score of emoji-compositions")
    // Noise shows nothing.
    #expect(report.rows.allSatisfy { $0.scores.allSatisfy { $0?.accuracy == 0 } })
    for (setting, hint) in [
      ("prompts={file: \(model.prompts), benchmark: emoji-compositions}", "\"a fox\""),
      ("prompts={file: \(prompts), benchmark: geneval}", "Valid values: \"emoji-compositions\""),
    ] {
      let result = try model.run(["compare", recipe] + settings + ["--set", setting])
      #expect(result.status == 1 && result.errors.contains(hint), "\(result.errors)")
    }
  }

  @Test func promptsAreNeeded() throws {
    let recipe = try comparison("")
    let text = try String(contentsOfFile: model.recipe(), encoding: .utf8)
    _ = try model.folder.file("recipe.yaml", text)
    for (settings, hint) in [
      (["methods=[{name: a}]"], "prompts: {file: prompts.jsonl}"),
      (["methods=[{name: a}]", "prompts={file: \(path)/none.jsonl}"], "none.jsonl"),
      (
        ["methods=[{name: a}]", "samples=2", "prompts={file: \(model.prompts)}"],
        "1 different real pictures"
      ),
      (["methods=[{name: a}]", "prompts={file: \(model.prompts), split: test}"], "held-out"),
      (
        [
          "methods=[{name: a}, {name: b, set: ['data.size=[32, 32]', model.size=32]}]",
          "prompts={file: \(model.prompts)}",
        ], "32x32"
      ),
    ] {
      let result = try model.run(["compare", recipe] + settings.flatMap { ["--set", $0] })
      #expect(result.status == 1 && result.errors.contains(hint), "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: path + "/compared"))
    }
  }
}
