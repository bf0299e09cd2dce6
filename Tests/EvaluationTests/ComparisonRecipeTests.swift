import Foundation
import Recipe
import Testing

@testable import Evaluation

@Suite struct ComparisonRecipeTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private static let shipped =
    ((try? FileManager.default.contentsOfDirectory(atPath: root + "/Recipes/compare")) ?? [])
    .filter { $0.hasSuffix(".yaml") }

  @Test func comparisonsAreShipped() { #expect(Self.shipped.count >= 3) }

  /// Every method of every shipped comparison is a valid recipe that the budget reaches for.
  @Test(arguments: shipped) func shippedComparisonIsValid(_ name: String) throws {
    let comparison: ComparisonRecipe = try RecipeDecoder.decode(
      contentsOf: "\(Self.root)/Recipes/compare/\(name)")
    for var part in comparison.parts {
      part.recipe = "\(Self.root)/\(part.recipe)"
      let base = try part.baseRecipe()
      #expect((base == nil) == (part.base == nil))
      for method in part.methods {
        let recipe = try part.training(method)
        #expect(recipe.steps > 10 && recipe.output.hasPrefix(part.output))
        #expect(recipe.data.kind == base?.data.kind ?? recipe.data.kind)
      }
    }
  }

  @Test(arguments: [
    ("evaluations=0", "above 0"), ("steps=[0]", "numbers of steps"), ("samples=150", "multiple"),
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

  @Test func namesBecomeFolders() {
    #expect(ComparisonRecipe.folder("RCGM, order 2!") == "rcgm-order-2")
    #expect(ComparisonRecipe.folder("…") == "method")
  }
}
