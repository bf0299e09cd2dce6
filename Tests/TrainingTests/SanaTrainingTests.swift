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

/// Training of SANA, with its own text encoder and with OpenUni's, on small ones with random weights.
@Suite(.serialized) struct SanaTrainingTests {
  static let sana = "\(TextToImageTests.fixtures)/pipe_sana_a/model"
  static let openUni = "\(TextToImageTests.fixtures)/pipe_openuni_a/model"

  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try Data("a fox\na cat on a hill\n\na dog\na house by the sea\n".utf8)
      .write(to: URL(filePath: "\(folder.path)/prompts.txt"))
    let data = "\(folder.path)/data"
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
    for number in 0..<5 {
      try Picture(
        width: 70 + number, height: 66, channels: 3,
        values: (0..<(70 + number) * 66 * 3).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
      ).write(to: "\(data)/p\(number).png")
      try Data("a fox number \(number)".utf8).write(to: URL(filePath: "\(data)/p\(number).txt"))
    }
  }

  /// A recipe of a few steps.
  private func recipe(
    _ output: String, of model: String, set settings: [String] = []
  ) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: sana}
      objective: {preset: twinflow}
      data: {kind: images, folder: \(folder.path)/data, size: [64, 64]}
      optimizer: {kind: radam, learning_rate: 1e-3, max_grad_norm: 1}
      start: \(model)
      condition_dropout: 0.2
      batch: 4
      steps: 4
      seed: 3
      output: \(folder.path)/\(output)
      log_every: 1
      checkpoint_every: 2
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "small.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  private func trained(_ recipe: TrainingRecipe) throws -> Trainer {
    let trainer = try Trainer(recipe, on: SharedEngine.get())
    try trainer.run()
    let log = try String(contentsOfFile: recipe.output + "/log.jsonl", encoding: .utf8)
    let losses = log.matches(of: /"loss": ([-0-9.e]+)/).compactMap { Double($0.1) }
    #expect(losses.count == recipe.steps && losses.allSatisfy { $0.isFinite })
    #expect(Set(losses).count == losses.count)
    return trainer
  }

  /// A picture in two steps for any number of steps.
  private func picture(
    _ model: String, transformer: String? = nil, lora: String? = nil
  ) throws -> [Float] {
    var replacing = ImagePipeline.Replacements()
    replacing.transformer = transformer
    replacing.loras = lora.map { [LoRAUse($0)] } ?? []
    return try picture(
      of: ImagePipeline(ModelFolder(model), replacing: replacing, on: SharedEngine.get()))
  }

  private func picture(of pipeline: ImagePipeline) throws -> [Float] {
    var request = ImageRequest(prompt: "a fox", seed: 1)
    (request.size, request.steps) = (ImageSize(height: 64, width: 64), 2)
    let resolved = try pipeline.resolve(request)
    guard case .anyStep = resolved.schedule else {
      Issue.record("the weights are sampled by the scheduler's steps")
      return []
    }
    return try pipeline([[resolved]])[0].array(of: Float.self)
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
    #expect(kernel.shape == (model == Self.sana ? [160, 32, 1, 1] : [80, 16, 1, 1]))
    let made = try picture(model, transformer: result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
    // A whole model has all networks, also the connector that was with the transformer.
    let whole = "\(folder.path)/whole"
    _ = try TrainedRun(trainer.recipe.output)?.export(
      to: whole, as: .float32, in: ModelFolder(model), on: SharedEngine.get())
    #expect(try picture(whole) == made)
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
    #expect(file.rank == 2 && file.modules.count == (model == Self.sana ? 18 : 27))
    let made = try picture(model, lora: trainer.recipe.result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
  }

  /// A checkpoint of OpenUni's holds the transformer, which is trained, and the connector, which encodes.
  @Test func trainingStartsFromACheckpointAlone() throws {
    let checkpoint = "\(Self.openUni)/transformer/openuni.pth"
    // This model has no connector.
    let bare = "\(folder.path)/bare"
    try FileManager.default.copyItem(atPath: Self.openUni, toPath: bare)
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
    let alone = try trained(recipe("alone", of: Self.openUni, set: settings))
    let whole = try trained(recipe("whole", of: Self.openUni))
    for (name, weight) in try alone.weights().pairs {
      #expect(try weight.bytes() == whole.weights()[name]?.bytes(), "\(name)")
    }
    // Both encode prompts for pictures too.
    let pipeline = try ModelOfRun.pipeline(
      at: alone.recipe.output, ImagePipeline.Options(), on: SharedEngine.get())
    #expect(
      try picture(of: pipeline) == picture(Self.openUni, transformer: alone.recipe.result))
  }
}
