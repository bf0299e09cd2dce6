import Foundation
import Recipe
import Testing

@testable import Comparison

@Suite struct ComparisonRecipeTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private static let shipped =
    ((try? FileManager.default.contentsOfDirectory(atPath: root + "/Recipes/compare")) ?? [])
    .filter { $0.hasSuffix(".yaml") }

  @Test func comparisonsAreShipped() { #expect(Self.shipped.count >= 3) }

  /// Every method of every shipped comparison is a valid recipe that the budget reaches for.
  @Test(arguments: shipped) func shippedComparisonIsValid(_ name: String) throws {
    let recipe: ComparisonRecipe = try RecipeDecoder.decode(
      contentsOf: "\(Self.root)/Recipes/compare/\(name)")
    // Sets of points differ in the data alone.
    for comparison in recipe.comparisons.prefix(1) {
      let base = try comparison.baseRecipe()
      #expect((base == nil) == (comparison.base == nil))
      if base == nil { #expect(try comparison.sharedRecipe().start != nil) }
      for method in comparison.methods {
        let training = try #require(comparison.stages(method).last)
        #expect(training.steps > 10 && training.output.hasPrefix(comparison.output))
        #expect(training.data.kind == base?.data.kind ?? training.data.kind)
      }
    }
  }

  @Test(arguments: [
    ("evaluations=0", "above 0"), ("steps=[0]", "numbers of steps"), ("samples=1", "from 2 to"),
    ("evaluations=1e30", "1e15"), ("steps=[9223372036854775807]", "10000"),
    ("samples=9223372036854775807", "1000000"), ("methods=[{name: \"a\\nb\"}]", "a line"),
    ("methods=[{name: \"a\\u0085b\"}]", "a line"), ("methods=[{name: base}]", "the base model"),
    ("methods=[{name: a}, {name: a}]", "different names"), ("methods=[]", "different names"),
    ("seeds=[]", "different seeds"), ("learning_rates=[0, 1]", "`learning_rates` is [0.0, 1.0]"),
    ("sets=[line]", "swiss-roll"), ("stepps=[1]", "steps"),
  ])
  func impossibleValuesAreNamed(setting: String, hint: String) throws {
    let error = #expect(throws: RecipeError.self) {
      let _: ComparisonRecipe = try RecipeDecoder.decode(
        contentsOf: Self.root + "/Recipes/compare/points.yaml",
        settings: [RecipeSetting(setting)])
    }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  private func comparison(_ settings: String...) throws -> ComparisonRecipe {
    try RecipeDecoder.decode(
      contentsOf: Self.root + "/Recipes/compare/points.yaml",
      settings: [RecipeSetting(["recipe"], to: Self.root + "/Recipes/points.yaml")]
        + settings.map { try RecipeSetting($0) })
  }

  /// Every method gets the same few learning rates to try, and the same seeds.
  @Test func learningRatesAreTriedOnOneSeed() throws {
    let recipe = try comparison(
      "seeds=[5, 6]", "learning_rates=[1e-3, 3e-3]", "trial_share=0.5", "evaluations=1e6",
      "methods=[{name: a, set: ['objective={preset: rcgm, enhanced_ratio: 0}']}, "
        + "{name: b, set: ['objective={preset: rcgm, enhanced_ratio: 0}', 'optimizer.learning_rate=2e-3']}]"
    )
    let trials = try recipe.trials(recipe.methods[0])
    #expect(trials.map(\.learningRate) == [1e-3, 3e-3] && trials.allSatisfy { $0.seed == 5 })
    #expect(try recipe.trials(recipe.methods[1]).isEmpty)
    let whole = try recipe.stages(recipe.methods[0], as: .init(seed: 6, learningRate: 3e-3))[0]
    let trial = try recipe.stages(recipe.methods[0], as: trials[0])[0]
    #expect(whole.seed == 6 && whole.optimizer.learningRate == 3e-3)
    #expect(trial.seed == 5 && trial.optimizer.learningRate == 1e-3)
    #expect(abs(whole.steps - 2 * trial.steps) <= 1)
    #expect(whole.output.hasSuffix("/a/seed-6") && trial.output.hasSuffix("/a/trial-0.001"))
    #expect(
      try recipe.stages(recipe.methods[1], as: .init(seed: 5))[0].optimizer.learningRate == 2e-3)
  }

  /// Each stage starts from the result of the one before, and the last one is the run of the method.
  @Test func stagesShareTheBudget() throws {
    let recipe = try comparison(
      "methods=[{name: a, set: ['objective={preset: progressive}', 'batch=64'], stages: "
        + "[['objective.steps=4'], ['objective.steps=2', 'objective.teacher_targets=next']]}]")
    let stages = try recipe.stages(recipe.methods[0], as: .init(seed: 7))
    #expect(
      stages.map(\.output) == ["a/seed-7/stage-1", "a/seed-7"].map { "\(recipe.output)/\($0)" })
    #expect(stages.map(\.start) == ["\(recipe.output)/base/weights.safetensors", stages[0].result])
    #expect(stages[0].steps == stages[1].steps && stages.allSatisfy { $0.seed == 7 })
    var whole = recipe
    whole.methods[0].stages = nil
    let one = try whole.stages(whole.methods[0])
    #expect(one.count == 1 && abs(one[0].steps - 2 * stages[0].steps) <= 1)
    let error = #expect(throws: RecipeError.self) {
      try comparison("methods=[{name: a, stages: [[]]}]")
    }
    #expect(error?.description.contains("two lists") == true)
  }

  /// Later stages of text-to-image models have encoders too: of the folder of the stage before where that is a
  /// model, otherwise those of the first start.
  @Test(arguments: [
    ("emoji-compositions/twinflow.yaml", true), ("z-image/twinflow-full.yaml", false),
  ])
  func laterStagesHaveEncoders(name: String, isModel: Bool) throws {
    let recipe = try comparison(
      "methods=[{name: a, set: ['objective={preset: progressive}'], stages: "
        + "[['objective.steps=4'], ['objective.steps=2', 'objective.teacher_targets=next']]}]",
      "base=null", "recipe=\(Self.root)/Recipes/\(name)")
    let stages = try recipe.stages(recipe.methods[0])
    #expect(stages[1].start == (isModel ? stages[0].output : stages[0].result))
    #expect(stages[1].encoders == (isModel ? nil : stages[0].start))
    #expect(stages[0].encoders == nil && stages[0].start != nil)
  }

  private func row(_ name: String, _ scores: [ComparisonReport.Scores?]) -> ComparisonReport.Row {
    ComparisonReport.Row(
      name: name, trainingSteps: 10, learningRate: 1e-3, evaluations: 8, seconds: nil, memory: nil,
      parameters: .init(trained: 1, frozen: 0, auxiliary: 0), scores: scores)
  }

  private func score(
    _ distance: Double, _ accuracy: Double, diversity: Double? = nil
  ) -> ComparisonReport.Scores {
    ComparisonReport.Scores(
      distance: distance, accuracy: accuracy, precision: 0.25, recall: 0.75, diversity: diversity)
  }

  /// Means over the seeds, and the deviation of one from another.
  @Test func rowsOfSeedsAreJoined() throws {
    let rows = [
      row("a, seed 0", [score(1, 0.5, diversity: 2), score(4, 1)]),
      row("a, seed 1", [score(3, 0.5, diversity: 4), score(4, 1)]),
    ]
    let joined = ComparisonReport.Row("a", rows)
    #expect(joined.name == "a" && joined.runs == 2)
    #expect(joined.scores == [score(2, 0.5, diversity: 3), score(4, 1)])
    let spreads = try #require(joined.spreads)
    #expect(spreads[0]?.distance == Double(2).squareRoot() && spreads[0]?.accuracy == 0)
    #expect(spreads[0]?.diversity == Double(2).squareRoot() && spreads[1]?.distance == 0)
    #expect(ComparisonReport.Row("a", [rows[0]]).spreads == nil)
  }

  /// Learning rates are chosen by the distance, or by a benchmark's score.
  @Test func scoresAreOrderedByTheCriterion() {
    #expect(score(1, 0.2).isBetter(than: score(2, 0.5), by: .distance))
    #expect(!score(1, 0.2).isBetter(than: score(1, 0.5), by: .distance))
    #expect(score(2, 0.5).isBetter(than: score(1, 0.2), by: .accuracy))
    #expect(!score(1, 0.2).isBetter(than: score(2, 0.5), by: .accuracy))
    #expect(score(1, 0.2).isBetter(than: score(2, 0.2), by: .accuracy))
    #expect(!score(1, 0.2).isBetter(than: score(1, 0.2), by: .accuracy))
  }

  /// Where one of the seeds has diverged there is no mean, and the report says so.
  @Test func divergedRunsHaveNoScores() throws {
    let joined = ComparisonReport.Row(
      "a",
      [row("a, seed 0", [score(1, 0.5), nil]), row("a, seed 1", [score(3, 0.5), score(4, 1)])])
    #expect(joined.scores == [score(2, 0.5), nil] && joined.distances[1] == .infinity)
    var report = ComparisonReport(
      title: "T",
      names: .init(distance: "d", accuracy: "a", precision: "p", recall: "r", diversity: "v"),
      real: .init(distance: 0.5, diversity: nil), samples: 10, evaluations: 1e6, steps: [1, 2])
    report.rows = [joined, row("b|c", [score(1, 1, diversity: 5), score(2, 1)])]
    let text = report.markdown
    #expect(text.contains("| a | 2 ± 1.41 (0.500) | not finite |"))
    #expect(text.contains("| b\\|c | 1 (1.000) | 2 (1.000) |"))
    #expect(
      text.contains("| b\\|c | 5 | – |") && text.contains("| a | 0.250 / 0.750 | not finite |"))
    #expect(text.contains("real ones is 0.5.") && text.contains("Means of 2 seeds"))
    let data = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(ComparisonReport.self, from: data).markdown == text)
  }

  @Test func namesBecomeFolders() throws {
    let recipe = try comparison("methods=[{name: 'RCGM, order 2!'}, {name: '…'}]")
    #expect(recipe.folder("RCGM, order 2!") == "rcgm-order-2")
    #expect(recipe.folder("…") == "method")
  }

  /// Names that differ only in signs or case, and one that is the base model's.
  @Test func similarNamesHaveSeparateFolders() throws {
    let names = ["a+b", "a-b", "A B", "Base", "c", "x", String(repeating: "long ", count: 99)]
    let recipe = try comparison(
      "methods=[\(names.map { "{name: '\($0)'}" }.joined(separator: ", "))]")
    let folders = recipe.methods.map { recipe.folder($0.name) }
    #expect(Set(folders).count == names.count && !folders.contains("base"))
    #expect(folders.contains("c") && folders.allSatisfy { $0.utf8.count < 120 })
  }

  @Test func tooLargeABudgetIsAnError() throws {
    let recipe = try comparison("evaluations=1e15")
    #expect {
      try recipe.stages(recipe.methods[0])
    } throws: { error in
      guard case ComparisonError.budgetTooLarge(_, 1e15, let most) = error else { return false }
      return most < 1e15
    }
  }

  /// A path is a path, whatever YAML would make of it.
  @Test(arguments: ["out/try #2", "null", "1e3", "a: b", "'quoted'", "[list]", "~tilde"])
  func foldersAreNotReadAsYAML(_ output: String) throws {
    var recipe = try comparison()
    recipe.output = output
    #expect(try recipe.baseRecipe()?.output == output + "/base")
    let method = try recipe.stages(recipe.methods[0])[0]
    #expect(method.output.hasPrefix(output + "/"))
    #expect(method.start == output + "/base/weights.safetensors")
  }
}
