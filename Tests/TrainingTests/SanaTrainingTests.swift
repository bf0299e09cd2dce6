import Datasets
import Files
import Foundation
import Models
import Pictures
import Pipelines
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

private let sana = PublishedModels.sana
private let openUni = PublishedModels.openUni

/// Training of SANA, with its own text encoder and with OpenUni's, on small ones with random weights.
@Suite(.serialized) struct SanaTrainingTests {
  let folder: TextToImageFolder

  init() throws {
    folder = try TextToImageFolder(
      ImageSize(height: 64, width: 64), pictures: ImageSize(height: 66, width: 70))
  }

  /// A recipe of a few steps.
  private func recipe(
    _ output: String, of model: String, set settings: [String] = []
  ) throws -> TrainingRecipe {
    try folder.recipe(output, model, kind: "sana", optimizer: "radam", set: settings)
  }

  @Test(arguments: [sana, openUni], [false, true])
  func allWeightsAreTrained(model: String, isDataFree: Bool) throws {
    let settings =
      isDataFree
      ? [
        "data={kind: prompts, file: \(folder.path)/prompts.txt, size: [64, 64]}",
        "objective={preset: twinflow, data_free: true, target_ema_decay: 1}",
      ] : []
    let trainer = try trained(recipe("full", of: model, set: settings))
    let second = "time_embed_2.linear.weight"
    #expect(try trainer.weights()[second] != nil)
    let result = trainer.recipe.result
    let files = try WeightFiles(path: result)
    // Kernels of one tap are written as diffusers has them.
    let kernel = try #require(files.types["transformer_blocks.1.ff.conv_inverted.weight"])
    #expect(kernel.shape == (model == sana ? [160, 32, 1, 1] : [80, 16, 1, 1]))
    let made = try folder.picture(of: model, transformer: result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
    // A whole model has all networks, also the connector that was with the transformer.
    let whole = "\(folder.path)/whole"
    _ = try TrainedRun(trainer.recipe.output)?.export(
      to: whole, as: .float32, in: ModelFolder(model), on: SharedEngine.get())
    #expect(try folder.picture(of: whole) == made)
  }

  @Test(arguments: [sana, openUni]) func aRunThatGoesOnEqualsAnUnbrokenOne(model: String) throws {
    let engine = try SharedEngine.get()
    let whole = try trained(recipe("whole", of: model)).weights().mapValues { try $0.bytes() }
    let first = try Trainer(recipe("halves", of: model), on: engine)
    try first.run(stopping: { first.step == 2 })
    let rest = try Trainer(recipe("halves", of: model), on: engine, start: .resumed)
    try rest.run()
    for (name, weight) in try rest.weights().pairs {
      #expect(try weight.bytes() == whole[name], "\(name)")
    }
  }

  @Test(arguments: [sana, openUni], ["twinflow-lora-2", "twinflow-lora-1"])
  func loRAIsTrainedWithOneTime(model: String, preset: String) throws {
    let trainer = try trained(
      recipe(
        "lora", of: model,
        set: [
          "objective={preset: \(preset)}", "lora={rank: 2, layers: [attn1, attn2, conv_point]}",
          "base_dtype=bf16", "precision=bf16",
        ]))
    let file = try LoRAFile(path: trainer.recipe.result)
    #expect(file.rank == 2 && file.modules.count == (model == sana ? 18 : 27))
    let made = try folder.picture(of: model, lora: trainer.recipe.result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
  }

  /// A checkpoint of OpenUni's holds the transformer, which is trained, and the connector, which encodes.
  @Test func trainingStartsFromACheckpointAlone() throws {
    let checkpoint = "\(openUni)/transformer/openuni.pth"
    // This model has no connector.
    let bare = "\(folder.path)/bare"
    try FileManager.default.copyItem(atPath: openUni, toPath: bare)
    try FileManager.default.removeItem(atPath: "\(bare)/transformer/openuni.pth")
    let files = try WeightFiles(path: checkpoint)
    let transformer = files.types.filter { $0.hasPrefix("transformer.") }
    try WeightFiles.write(transformer, to: "\(bare)/transformer/model.safetensors") {
      files.bytes($0, Region(whole: transformer[$0]!.shape))
    }
    // The heads of networks that are not published are not told by a checkpoint.
    let sizes =
      "in_channels: 4, out_channels: 4, num_attention_heads: 2, attention_head_dim: 8, num_layers: 3, "
      + "num_cross_attention_heads: 2, cross_attention_head_dim: 12, cross_attention_dim: 16, "
      + "caption_channels: 48"
    let settings = [
      "model={kind: sana, \(sizes)}", "start=\(checkpoint)", "encoders=\(bare)",
    ]
    let alone = try trained(recipe("alone", of: openUni, set: settings))
    let whole = try trained(recipe("whole", of: openUni))
    for (name, weight) in try alone.weights().pairs {
      #expect(try weight.bytes() == whole.weights()[name]?.bytes(), "\(name)")
    }
    // Both encode prompts for pictures too.
    let pipeline = try ModelOfRun.pipeline(
      at: alone.recipe.output, ImagePipeline.Options(), on: SharedEngine.get())
    let made = try folder.picture(of: openUni, transformer: alone.recipe.result)
    #expect(try folder.picture(of: pipeline) == made)
  }
}
