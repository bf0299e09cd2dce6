import Pictures
import Pipelines
import Runtime
import TestSupport
import Testing
import Weights

@testable import Training

private let qwen = PublishedModels.qwen
private let edit = PublishedModels.edit
private let zImage = PublishedModels.zImage
private let sd3 = PublishedModels.sd3

/// Training of LoRA of published text-to-image models, on small ones with random weights.
@Suite(.serialized) struct TextToImageLoRATests {
  let folder: TextToImageFolder

  init() throws { folder = try TextToImageFolder() }

  @Test(arguments: [
    ("twinflow-lora-2", "qwen_image", qwen), ("twinflow-lora-1", "z_image", zImage),
    ("twinflow-lora-2", "sd3", sd3),
  ])
  func loRAIsTrainedWithOneTime(preset: String, kind: String, start: String) throws {
    let recipe = try folder.recipe(
      "lora", start, kind: kind,
      set: [
        "objective={preset: \(preset)}", "lora={rank: 2, layers: [to_q]}", "base_dtype=bf16",
        "precision=bf16",
      ])
    let trainer = try trained(recipe)
    #expect(trainer.recipe.embedderResult == nil)
    let file = try LoRAFile(path: trainer.recipe.result)
    #expect(file.rank == 2 && file.style == .diffusers)
    #expect(file.sampling?.contains("middle") == true)
    #expect(throws: PipelineError.publishedLoRA(path: trainer.recipe.result)) {
      try ModelFile(trainer.recipe.result, on: SharedEngine.get())
    }
    let made = try folder.picture(of: start, lora: trainer.recipe.result)
    #expect(made.count == 32 * 48 * 3 && made.allSatisfy { $0.isFinite })
  }

  @Test func loRAIsTrainedBesideASecondEmbedder() throws {
    let recipe = try folder.recipe(
      "lora", set: ["lora={rank: 2, layers: [to_q], full: [time_text_embed_2]}"])
    let trainer = try trained(recipe)
    let embedder = try #require(trainer.recipe.embedderResult)
    #expect(try WeightFiles(path: embedder).types.count == 4)
    #expect(try LoRAFile(path: trainer.recipe.result).modules.count == 2)
    let made = try folder.picture(of: qwen, transformer: embedder, lora: trainer.recipe.result)
    #expect(made.allSatisfy { $0.isFinite })
    #expect(made != (try folder.picture(of: qwen, transformer: embedder)))
    // What is added must be trained.
    let error = #expect(throws: (any Error).self) {
      try Trainer(
        folder.recipe("other", set: ["lora={rank: 2, layers: [to_q]}"]), on: SharedEngine.get())
    }
    #expect("\(error!)".contains("set lora.full to [time_text_embed_2]"))
  }

  @Test func editingIsTrainedWithReferences() throws {
    let recipe = try folder.recipe(
      "edit", edit,
      set: [
        "data.references=1", "data.reference_size=[64, 96]", "objective={preset: twinflow-lora-2}",
        "lora={rank: 2, layers: [to_q]}", "steps=2",
      ])
    let trainer = try trained(recipe)
    let image = try RGBImage(contentsOf: "\(folder.path)/data/p0.ref1.png")
    let made = try folder.picture(of: edit, lora: trainer.recipe.result, editing: [image])
    #expect(made.allSatisfy { $0.isFinite })
  }
}
