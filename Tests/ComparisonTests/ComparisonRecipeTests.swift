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
