import Foundation
import Recipe
import Testing

@testable import Training

@Suite struct TrainingRecipeTests {
  /// The recipes that come with the project.
  static let shipped: [String] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Recipes")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".yaml") }.map { folder.appendingPathComponent($0).path }
  }()

  @Test func recipesAreShipped() { #expect(Self.shipped.count >= 4) }

  @Test(arguments: shipped) func shippedRecipeIsValid(path: String) throws {
    let recipe = try RecipeDecoder.decode(TrainingRecipe.self, contentsOf: path)
    // What a checkpoint keeps of a recipe is the recipe.
    let json = try JSONEncoder().encode(recipe)
    #expect(try JSONDecoder().decode(TrainingRecipe.self, from: json) == recipe)
  }

  @Test(arguments: [
    ("batch=3", "a batch of 4 or more"),
    ("batch=0", "it must be 1 or more"),
    ("objective.order=-1", "0 to 16"),
    ("objective.groups={}", "one group at least"),
    ("objective.data_free=true", "set average_rate to 1"),
    ("objective.distance={kind: l3}", "l2"),
    ("objective={kind: classification}", "classification trains a classifier"),
    ("model={kind: classifier}", "a classifier is trained by classification"),
    ("model.patch=5", "it must divide the size, 28"),
    ("model.heads=3", "it must divide the width, 16"),
    ("model.kind=vit", "dit"),
    ("optimizer={kind: adam, rate: 1e-3, weight_decay: 0.1}", "use adamw"),
    ("optimizer={kind: sgd, rate: 1e-3, betas: [0.9, 0.9]}", "one momentum"),
    ("optimizer.rate=0", "it must be above 0"),
    ("smoothing=1", "less than 1"),
    ("condition_dropout=2", "0.0 to 1.0"),
    ("data.kind=mnist", "fashion-mnist"),
    ("steps=many", "many"),
  ])
  func impossibleValuesAreNamed(setting: String, hint: String) throws {
    do {
      _ = try tinyRecipe("out", setting)
      Issue.record("\(setting) was taken")
    } catch {
      #expect("\(error)".contains(hint), "\(error)")
    }
  }
}
