import Runtime
import Flow
import Foundation
import Recipe
import TestSupport
import Testing

@testable import Training

@Suite struct TrainingRecipeTests {
  /// The included recipes.
  static let shipped: [String] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Recipes")
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix("compare/") }.sorted()
      .map { folder.appendingPathComponent($0).path }
  }()

  @Test func recipesAreShipped() { #expect(Self.shipped.count >= 18) }

  @Test(arguments: shipped) func shippedRecipeIsValid(path: String) throws {
    let recipe = try RecipeDecoder.decode(TrainingRecipe.self, contentsOf: path)
    // What a checkpoint keeps of a recipe is the recipe.
    let json = try JSONEncoder().encode(recipe)
    #expect(try JSONDecoder().decode(TrainingRecipe.self, from: json) == recipe)
  }

  @Test(arguments: Preset.allCases) func presetsAreValidAndCanBeChanged(preset: Preset) throws {
    let start = preset.settings.needsStart ? ["start=base.safetensors"] : []
    // A critic sees the second layer.
    let depth = preset.settings.criticLayers.isEmpty ? [] : ["model.depth=2"]
    let recipe = try tinyRecipe("out", ["objective={preset: \(preset.rawValue)}"] + start + depth)
    #expect(recipe.objective == ObjectiveConfig(preset.settings))
    if var changed = preset.settings as? TwinFlowSettings {
      changed.enhancedRatio = 0.125
      #expect(
        try tinyRecipe("out", "objective={preset: \(preset.rawValue), enhanced_ratio: 0.125}")
          .objective == ObjectiveConfig(changed))
    }
    let json = try JSONEncoder().encode(recipe)
    #expect(try JSONDecoder().decode(TrainingRecipe.self, from: json) == recipe)
  }

  /// Overriding one setting of a critic leaves it as heavy as the preset has it; rows are named as a whole.
  @Test func groupsOfAPresetAreOverriddenKeyByKey() throws {
    let recipe = try tinyRecipe(
      "out", "objective={preset: dmd2, adversarial: {layers: [0]}}", "start=base.safetensors")
    var expected = (Preset.dmd2.settings as? DistributionMatchingSettings)?.adversarial
    #expect((expected?.weight ?? 0) > 0)
    expected?.layers = [0]
    let settings = recipe.objective.settings as? DistributionMatchingSettings
    #expect(settings?.adversarial == expected)
    let rows = try tinyRecipe(
      "out", "objective={preset: twinflow, groups: {end_to_end: 1, multi_step: 1}}")
    #expect(
      (rows.objective.settings as? TwinFlowSettings)?.groups
        == GroupWeights(anyStep: 0, adversarial: 0))
  }

  @Test(arguments: [
    ("batch=3", "a batch of 4 or more"),
    ("gradient_accumulation_steps=2", "cannot be divided equally"),
    ("batch=0", "it must be from 1 to"),
    ("objective.order=-1", "0 to 16"),
    ("objective.groups={}", "one group at least"),
    ("objective.data_free=true", "set target_ema_decay to 1"),
    ("objective.condition_shift=[1]", "it must be [a, b]"),
    ("objective={preset: mean-flow}", "meanflow"),
    (
      "objective={preset: meanflow, order: 2}",
      "`order` in `objective` is no key of mean-flow: leave it out, or take twinflow or "
        + "tutorial, as in {kind: twinflow, order: 2}. Valid keys: `kind`, `preset`, `form`"
    ),
    (
      "data={kind: fashion-mnist, folder: a}",
      "is no key of fashion-mnist: leave it out, or take emoji-scenes"
    ),
    ("model={kind: dit, text_width: 3}", "is no key of dit: leave it out, or take text-dit"),
    ("objective={preset: meanflow, time_distribution: [0, 0]}", "a deviation above 0"),
    ("objective={preset: scm, guidance: 2}", "only a teacher has guidance"),
    ("objective={preset: sid}", "name its weights under start"),
    ("objective={preset: scm, adversarial: {weight: 1}}", "set source to teacher"),
    ("objective.regression_loss={kind: l3}", "l2"),
    ("objective={kind: classification}", "classification trains a classifier"),
    ("model={kind: classifier}", "a classifier is trained by classification"),
    ("model.patch=5", "it must divide the size, 28"),
    ("model.heads=3", "it must divide the width, 16"),
    ("model.kind=vit", "dit"),
    ("optimizer={kind: adam, learning_rate: 1e-3, weight_decay: 0.1}", "use adamw"),
    ("optimizer={kind: sgd, learning_rate: 1e-3, betas: [0.9, 0.9]}", "one momentum"),
    ("optimizer.learning_rate=0", "it must be above 0"),
    ("ema_decay=1", "less than 1"),
    ("condition_dropout=2", "0.0 to 1.0"),
    ("data.kind=mnist", "fashion-mnist"),
    ("steps=many", "many"),
    // Keys of earlier versions.
    ("smoothing=0.9", "`smoothing` at the top level is now `ema_decay`"),
    ("adapters={rank: 2}", "`adapters` at the top level is now `lora`"),
    ("optimizer.rate=1e-3", "`rate` in `optimizer` is now `learning_rate`"),
    ("optimizer={kind: sgd, clip: 1}", "`clip` in `optimizer` is now `max_grad_norm`"),
    ("objective.average_rate=0", "`average_rate` in `objective` is now `target_ema_decay`"),
    ("objective={kind: tutorial, average_rate: 0}", "is now `target_ema_decay`"),
    ("objective.distance={kind: l2}", "`distance` in `objective` is now `regression_loss`"),
    ("objective={kind: distribution-matching, fake_rate: 1}", "is now `fake_learning_rate`"),
    // Numbers at the edges.
    ("batch=9223372036854775807", "from 1 to 16777216"),
    ("batch=99999999999999999999", "batch"),
    ("steps=4294967296", "from 1 to 2147483647"),
    ("model.width=9223372036854775804", "at most 1048576"),
    ("model.depth=9223372036854775807", "from 1 to 10000"),
    ("model.mlp_ratio=9223372036854775807", "from 1 to 256"),
    ("model.heads=9223372036854775807", "from 1 to"),
    ("model.patch=9223372036854775807", "from 1 to"),
    ("model.classes=9223372036854775807", "from 1 to 16777216"),
    ("model.classes=5", "fashion-mnist has 10: set classes to 10 or more"),
    (
      "model={kind: dit, patch: 14, width: 1048576, depth: 10000, heads: 1, mlp_ratio: 256}",
      "no device could hold it"
    ),
    ("model={kind: perceptron, width: 1048576, depth: 256}", "no device could hold it"),
    ("model={kind: perceptron, depth: 10000}", "from 1 to 256"),
    ("model={kind: dit, patch: 14, depth: 257, execution: unrolled}", "scanned or recomputed"),
    ("mesh={data: 9223372036854775807, fsdp: 2}", "from 1 to 65536"),
    ("optimizer.warmup=9223372036854775807", "from 0 to 2147483647"),
    ("guidance=1e300", "from 0.0 to 1000.0"),
    ("objective.groups={end_to_end: 1, multi_step: 1e-300}", "0.000001 to 1000000"),
    ("objective.groups={end_to_end: 1e308, multi_step: 1e308}", "0.000001 to 1000000"),
    ("objective.groups={end_to_end: 1000000, multi_step: 0.000001}", "a batch of 1000000000001"),
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

@Suite struct SizeTests {
  @Test func labelsOfDataAndClassesOfNetworks() throws {
    #expect(try tinyRecipe("out", "model.classes=12").model.classes == 12)
    // Points have no labels, and a perceptron looks at none.
    let points = try tinyRecipe(
      "out", "model={kind: perceptron}", "data={kind: moons}", "condition_dropout=0",
      "objective={preset: rcgm, enhanced_ratio: 0}")
    #expect(points.model.classes == 0)
    #expect {
      try tinyRecipe(
        "out", "model={kind: classifier, classes: 5}", "objective={kind: classification}",
        "condition_dropout=0")
    } throws: { "\($0)".contains("fashion-mnist has 10") }
  }

  /// A run that no machine can hold is rejected immediately, before anything is created.
  @Test(arguments: [
    ["batch=16777216", "model.patch=1"],
    ["model.width=524288", "model.heads=8192", "model.depth=100", "model.execution=scanned"],
    ["model.classes=16777216", "model.width=65536"],
  ])
  func runsBeyondTheMachineAreRejected(settings: [String]) throws {
    let folder = try TemporaryFolder()
    let output = folder.path + "/run"
    #expect {
      try Trainer(tinyRecipe(output, settings), on: SharedEngine.get())
    } throws: { error in
      switch error {
      case TrainingError.tooLarge(let needed, let device): needed > Double(device)
      case RuntimeError.outOfMemory(let needed?, let device?, _): needed.total > device
      default: false
      }
    }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func theMinimumBytesAreThoseOfTheStateAndABatch() throws {
    let recipe = try tinyRecipe("out", "ema_decay=0", "objective={preset: flow-matching}")
    let state = try TrainingStep(recipe).specs.flattened().types.filter { $0 != "step" }
    let bytes = state.values.reduce(0) { $0 + $1.byteCount }
    #expect(recipe.leastBytes() == Double(bytes + 4 * 784 * 4))
    let sharded = try tinyRecipe(
      "out", "ema_decay=0", "objective={preset: flow-matching}", "mesh={data: 4}")
    #expect(sharded.leastBytes() == Double(bytes + 784 * 4))
  }
}

@Suite struct RecipePresetTests {
  @Test(arguments: Preset.allCases) func shownRecipesAreCompleteAndCommented(_ preset: Preset)
    throws
  {
    let recipe = try preset.recipe()
    let text = try RecipeWriter.text(recipe, heading: "A recipe.\nIn two lines.")
    #expect(try RecipeDecoder.decode(TrainingRecipe.self, yaml: text, file: "shown") == recipe)
    let lines = text.split(separator: "\n")
    #expect(lines.prefix(2) == ["# A recipe.", "# In two lines."])
    for line in lines { #expect(line.contains("# ") && line.count <= 110, "\(line)") }
    #expect((recipe.lora != nil) == preset.trainsLoRA)
  }
}

@Suite struct FreedomTests {
  /// What may differ where a run goes on, and between runs of one result.
  @Test func keysThatMayDiffer() throws {
    let recipe = try Preset.twinFlow.recipe()
    let always: Set = [
      "output", "log_every", "checkpoint_every", "keep_last", "keep_every", "keep_best", "mesh",
      "start", "training_lora", "data.path", "sample_every", "sample_prompts", "sample_count",
      "sample_steps", "sample_base_steps", "evaluate_every", "evaluate_samples",
      "evaluate_prompts", "evaluate_splits", "evaluate_count", "evaluate_steps",
      "cache",
    ]
    #expect(recipe.paths(free: .always) == always)
    #expect(recipe.paths(free: .whenResumed) == always.union(["steps", "encoders"]))
  }
}
