import Flow
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

  @Test(arguments: Preset.allCases) func presetsAreValidAndCanBeChanged(preset: Preset) throws {
    let recipe = try tinyRecipe("out", "objective={preset: \(preset.rawValue)}")
    guard let settings = preset.settings else {
      #expect(recipe.objective == .tutorial(TutorialSettings()))
      return
    }
    #expect(recipe.objective == .twinFlow(settings))
    var changed = settings
    changed.enhancedRatio = 0.125
    #expect(
      try tinyRecipe("out", "objective={preset: \(preset.rawValue), enhanced_ratio: 0.125}")
        .objective == .twinFlow(changed))
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

@Suite struct RecipePresetTests {
  @Test(arguments: Preset.allCases) func shownRecipesAreWholeAndExplained(_ preset: Preset) throws {
    let recipe = try preset.recipe()
    let text = try recipe.text(heading: "A recipe.\nIn two lines.")
    #expect(try RecipeDecoder.decode(TrainingRecipe.self, yaml: text, file: "shown") == recipe)
    let lines = text.split(separator: "\n")
    #expect(lines.prefix(2) == ["# A recipe.", "# In two lines."])
    for line in lines { #expect(line.contains("# ") && line.count <= 110, "\(line)") }
    #expect((recipe.adapters != nil) == preset.trainsAdapters)
  }

  /// Every field that a comment explains is in the reference.
  @Test func theReferenceHasEveryField() throws {
    let path =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path + "/docs/recipes.md"
    let reference = try String(contentsOfFile: path, encoding: .utf8)
    for field in TrainingRecipe.comments.keys {
      let key = field.split(separator: ".").last!
      #expect(reference.contains("`\(key)`") || reference.contains("`\(key):"), "\(field)")
    }
  }
}
