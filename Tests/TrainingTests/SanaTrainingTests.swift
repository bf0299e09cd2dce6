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

/// Training of SANA, on a small one with random weights.
@Suite(.serialized) struct SanaTrainingTests {
  static let model = "\(TextToImageTests.fixtures)/pipe_sana_a/model"

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
  private func recipe(_ output: String, set settings: [String] = []) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: sana}
      objective: {preset: twinflow}
      data: {kind: images, folder: \(folder.path)/data, size: [64, 64]}
      optimizer: {kind: radam, learning_rate: 1e-3, max_grad_norm: 1}
      start: \(Self.model)
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
  private func picture(transformer: String? = nil, lora: String? = nil) throws -> [Float] {
    var replacing = ImagePipeline.Replacements()
    replacing.transformer = transformer
    replacing.loras = lora.map { [LoRAUse($0)] } ?? []
    let pipeline = try ImagePipeline(
      ModelFolder(Self.model), replacing: replacing, on: SharedEngine.get())
    var request = ImageRequest(prompt: "a fox", seed: 1)
    (request.size, request.steps) = (ImageSize(height: 64, width: 64), 2)
    let resolved = try pipeline.resolve(request)
    guard case .anyStep = resolved.schedule else {
      Issue.record("the weights are sampled by the scheduler's steps")
      return []
    }
    return try pipeline([[resolved]])[0].array(of: Float.self)
  }

  @Test(arguments: [[], ["data={kind: prompts, file: PROMPTS, size: [64, 64]}"]])
  func allWeightsAreTrained(settings: [String]) throws {
    let isDataFree = !settings.isEmpty
    let settings =
      settings.map { $0.replacing("PROMPTS", with: "\(folder.path)/prompts.txt") }
      + (isDataFree ? ["objective={preset: twinflow, data_free: true, target_ema_decay: 1}"] : [])
    let trainer = try trained(recipe("full", set: settings))
    let second = "time_embed_2.linear.weight"
    #expect(try trainer.weights()[second] != nil)
    let result = trainer.recipe.result
    let files = try WeightFiles(path: result)
    // Kernels of one tap are written as diffusers has them.
    let kernel = try #require(files.types["transformer_blocks.1.ff.conv_inverted.weight"])
    #expect(kernel.shape == [160, 32, 1, 1])
    let made = try picture(transformer: result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
  }

  @Test func aRunThatGoesOnEqualsAnUnbrokenOne() throws {
    let engine = try SharedEngine.get()
    let whole = try trained(recipe("whole")).weights().mapValues { try $0.bytes() }
    let first = try Trainer(recipe("halves"), on: engine)
    try first.run(stopping: { first.step == 2 })
    let rest = try Trainer(recipe("halves"), on: engine, start: .resumed)
    try rest.run()
    for (name, weight) in try rest.weights().pairs {
      #expect(try weight.bytes() == whole[name], "\(name)")
    }
  }

  @Test(arguments: ["twinflow-lora-2", "twinflow-lora-1"])
  func loRAIsTrainedWithOneTime(preset: String) throws {
    let trainer = try trained(
      recipe(
        "lora",
        set: [
          "objective={preset: \(preset)}", "lora={rank: 2, layers: [attn1, attn2, conv_point]}",
          "base_dtype=bf16", "precision=bf16",
        ]))
    let file = try LoRAFile(path: trainer.recipe.result)
    #expect(file.rank == 2 && file.modules.count == 18)
    let made = try picture(lora: trainer.recipe.result)
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
  }
}
