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
    for comparison in recipe.comparisons {
      let base = try comparison.baseRecipe()
      #expect((base == nil) == (comparison.base == nil))
      for method in comparison.methods {
        let training = try comparison.training(method)
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
    ("seeds=[]", "different seeds"), ("learning_rates=[0, 1]", "above 0"),
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
    let whole = try recipe.training(recipe.methods[0], as: .init(seed: 6, learningRate: 3e-3))
    let trial = try recipe.training(recipe.methods[0], as: trials[0])
    #expect(whole.seed == 6 && whole.optimizer.learningRate == 3e-3)
    #expect(trial.seed == 5 && trial.optimizer.learningRate == 1e-3)
    #expect(abs(whole.steps - 2 * trial.steps) <= 1)
    #expect(whole.output.hasSuffix("/a/seed-6") && trial.output.hasSuffix("/a/trial-0.001"))
    #expect(
      try recipe.training(recipe.methods[1], as: .init(seed: 5)).optimizer.learningRate == 2e-3)
  }

  /// Means over the seeds, and the deviation of one from another.
  @Test func rowsOfSeedsAreJoined() throws {
    let rows = [[1.0, 4], [3, 4]].enumerated().map { number, distances in
      ComparisonReport.Row(
        name: "a, seed \(number)", trainingSteps: 10, learningRate: 1e-3, evaluations: 8,
        seconds: nil,
        memory: nil, parameters: .init(trained: 1, frozen: 0, auxiliary: 0), distances: distances,
        accuracies: [0.5, 1])
    }
    let row = ComparisonReport.Row("a", rows)
    #expect(row.name == "a" && row.runs == 2 && row.distances == [2, 4])
    #expect(row.spreads == [Double(2).squareRoot(), 0] && row.accuracies == [0.5, 1])
    #expect(ComparisonReport.Row("a", [rows[0]]).spreads == nil)
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
      try recipe.training(recipe.methods[0])
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
    let method = try recipe.training(recipe.methods[0])
    #expect(method.output.hasPrefix(output + "/"))
    #expect(method.start == output + "/base/weights.safetensors")
  }
}
