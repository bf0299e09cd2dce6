import Foundation
import PJRT
import Pipelines
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// LoRA beside a frozen network of a billion weights, on images of 16 tokens.
@Suite(.enabled(if: SlowTests.areRun))
struct LargeBaseTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func recipe(_ settings: String...) throws -> TrainingRecipe {
    let small = [
      "model.size=8", "data.size=8", "objective={preset: flow-matching}", "batch=1", "steps=2",
      "precision=f32",
    ]
    return try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: "Recipes/scale/dit-1b-lora.yaml",
      settings: (small + settings).map { try RecipeSetting($0) })
  }

  /// The same recipe on the base in bf16, then on the same base in 8 bits.
  @Test func aBillionWeightsTakeTwoBytesEachOrOne() throws {
    let engine = try SharedEngine.get()
    let model = try recipe().model
    let card = ModelFile.Card(model: model)
    let (half, eighth) = (folder.path + "/bf16.safetensors", folder.path + "/int8.safetensors")
    try {
      let weights = try engine.compile(Named()) { _ in
        model.weights.initialized(Key(seed: 1)).mapValues { $0.cast(to: .bfloat16) }
      }(Named())
      try ModelFile.write(weights, card: card, to: half, as: .bfloat16, on: engine)
      try ModelFile.write(weights, card: card, to: eighth, as: .int8, on: engine)
    }()
    var factors: [Named<TensorType>] = []
    for (start, bytes) in [(half, 2.0), (eighth, 1.0)] {
      let recipe = try recipe(
        "start=\(start)", "base_dtype=stored", "output=\(folder.path)/run-\(bytes)")
      let plan = try Plan(recipe, on: engine.client)
      #expect(plan.frozenWeights > 1_000_000_000)
      let each = Double(plan.frozenBytes) / Double(plan.frozenWeights)
      #expect(each >= bytes && each < bytes + 0.01, "\(each) bytes a weight")

      let trainer = try Trainer(recipe, on: engine)
      #expect(try trainer.run())
      let saved = try SafeTensors(path: recipe.result)
      let own = plan.recipe.model.weights(with: recipe.lora).filter(recipe.trains).types()
      let size = own.values.reduce(0) { $0 + $1.byteCount }
      #expect(plan.memory.weights == plan.frozenBytes + size)
      #expect(saved.types.values.reduce(0) { $0 + $1.byteCount } == size)
      let header = try Data(contentsOf: URL(fileURLWithPath: recipe.result), options: .alwaysMapped)
        .prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
      let file = try FileManager.default.attributesOfItem(atPath: recipe.result)
      #expect(file[.size] as? Int == 8 + header + size)
      factors.append(saved.types)
    }
    #expect(factors[0] == factors[1])
  }
}
