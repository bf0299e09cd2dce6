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

/// Training of a `TextDiT` from fresh weights to a model that generates, on a small one.
@Suite(.serialized) struct TextDiTTrainingTests {
  private let folder: TemporaryFolder
  private let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").standardized.path

  init() throws {
    folder = try TemporaryFolder()
    try BertFolder.write("\(folder.path)/bert")
    let data = "\(folder.path)/data"
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
    for (number, prompt) in ["a fox", "a red cat", "the dog", "a house on a hill"].enumerated() {
      try Picture(
        width: 20, height: 16, channels: 4,
        values: (0..<20 * 16 * 4).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
      ).write(to: "\(data)/p\(number).png")
      try Data("\(prompt)\na picture of \(prompt)\n".utf8)
        .write(to: URL(filePath: "\(data)/p\(number).txt"))
    }
  }

  private func recipe(
    _ output: String, set settings: [String] = []
  ) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: text-dit, size: 16, width: 16, depth: 2, heads: 2, text_width: 12}
      encoders: \(folder.path)/bert
      objective: {kind: twinflow, groups: {multi_step: 1}, order: 0, consistency_ratio: 0,
        enhanced_ratio: 0, rectification: 0, target_ema_decay: 0, regression_loss: {kind: l2}}
      data: {kind: images, folder: \(folder.path)/data, size: [16, 16]}
      optimizer: {kind: adamw, learning_rate: 1e-2, betas: [0.9, 0.99]}
      condition_dropout: 0.2
      guidance: 1.5
      batch: 4
      steps: 3
      seed: 3
      output: \(folder.path)/\(output)
      log_every: 1
      checkpoint_every: 2
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "small.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  private func pixels(_ pipeline: ImagePipeline, _ prompt: String = "a fox") throws -> [Float] {
    var request = ImageRequest(prompt: prompt, seed: 1)
    request.steps = 2
    return try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
  }

  @Test func aRunIsAModelThatIsDistilledFurther() throws {
    let engine = try SharedEngine.get()
    let base = try trained(recipe("base"))
    #expect(base.recipe.isModel && base.recipe.result == "\(folder.path)/base/transformer")
    let saved = try WeightFiles(path: base.recipe.result)
    for (name, array) in try base.weights().pairs where !name.contains("*") {
      #expect(
        try saved.bytes(name, Region(whole: array.type.shape)) == array.bytes(), "\(name)")
    }
    let pipeline = try ImagePipeline(ModelFolder("\(folder.path)/base"), on: engine)
    #expect(try pipeline.resolve(ImageRequest(prompt: "a fox")).guidance == 1.5)
    let made = try pixels(pipeline)
    #expect(made.count == 16 * 16 * 3 && made.allSatisfy { $0.isFinite })
    #expect(try pixels(pipeline, "a red cat") != made)

    var notices: [String] = []
    let second = try recipe(
      "twin",
      set: [
        "model={kind: text-dit}", "start=\(folder.path)/base", "encoders=null",
        "objective={preset: twinflow}", "guidance=0",
      ])
    let trainer = try Trainer(second, on: engine) { notices.append($0) }
    #expect(notices.contains { $0.contains("starts from random values") })
    try trainer.run()
    let twin = try ImagePipeline(ModelFolder("\(folder.path)/twin"), on: engine)
    let resolved = try twin.resolve(ImageRequest(prompt: "a fox"))
    #expect(resolved.schedule == .anyStep(.preset(2)) && resolved.guidance == nil)
    #expect(resolved.size == ImageSize(height: 16, width: 16))
    #expect(try pixels(twin).allSatisfy { $0.isFinite })
  }

  /// Twin-DMD adds a second time embedder and a second head; the model that is saved has no second head.
  @Test(arguments: [0, 3]) func aBaseIsDistilledWithTwoHeads(stem: Int) throws {
    let engine = try SharedEngine.get()
    _ = try trained(recipe("base", set: ["model.stem=\(stem)"]))
    let twin = try trained(
      recipe(
        "twin",
        set: [
          "model={kind: text-dit}", "start=\(folder.path)/base", "encoders=null",
          "objective={preset: twin-dmd, guidance: 1.5}", "guidance=0",
        ]))
    #expect(twin.recipe.model.hasTwinHead && twin.recipe.model.hasTargetTime == true)
    let state = try SafeTensors(path: newestState("\(folder.path)/twin"))
    let heads = state.types.names.filter { $0.hasPrefix("weights.twin_head.") }
    #expect(heads.count == (stem > 0 ? 10 : 4))
    let saved = try WeightFiles(path: twin.recipe.result)
    #expect(!saved.types.names.contains { $0.contains("twin_head") })
    let config = try String(
      contentsOfFile: "\(folder.path)/twin/transformer/config.json", encoding: .utf8)
    #expect(!config.contains("twin_head"))
    let pipeline = try ImagePipeline(ModelFolder("\(folder.path)/twin"), on: engine)
    #expect(try pixels(pipeline).allSatisfy { $0.isFinite })
  }

  /// A checkpoint is a model too, and is exported as one, in files of a size.
  @Test func aRunIsExportedAsAModel() throws {
    let engine = try SharedEngine.get()
    _ = try trained(recipe("base"))
    let run = try #require(try TrainedRun("\(folder.path)/base"))
    #expect(run.step == 3)
    let output = "\(folder.path)/exported"
    #expect(try run.export(to: output, as: .bfloat16, largest: 20_000, on: engine) == [output])
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(output)/transformer")
    #expect(files.filter { $0.hasSuffix(".safetensors") }.count > 1)
    let models = [
      output, "\(folder.path)/base", "\(folder.path)/base/checkpoints/step-000003",
    ]
    let pictures = try models.map {
      try pixels(ImagePipeline(ModelFolder($0), on: engine))
    }
    #expect(pictures[1] == pictures[2])
    let most = zip(pictures[0], pictures[1]).map { abs($0 - $1) }.max()!
    #expect(most > 0 && most < 0.2)
  }

  @Test func batchesHoldThePixelsOfPictures() throws {
    let recipe = try recipe("data")
    let data = try RunData(recipe, on: SharedEngine.get()) { _ in }
    #expect(data.inputs.sample.shape == [16, 16, 3])
    var batches = try data.prepared(in: folder.path).batches
    let batch = try batches.next(rows: 0..<4)
    let found: [Float] = batch["sample"]!.array()
    let pictures = try (0..<4).map { number in
      try RGBImage(contentsOf: "\(folder.path)/data/p\(number).png").covering(width: 16, height: 16)
        .values.map { Float($0) / 127.5 - 1 }
    }
    let rows = (0..<4).map { Array(found[$0 * 768..<($0 + 1) * 768]) }
    #expect(rows.allSatisfy(pictures.contains) && Set(rows).count == 4)
  }

  @Test func loRAIsTrainedAndUsed() throws {
    let engine = try SharedEngine.get()
    _ = try trained(recipe("base"))
    let trainer = try trained(
      recipe(
        "lora",
        set: [
          "start=\(folder.path)/base", "encoders=null", "lora={rank: 2, layers: [to_q]}",
          "objective={preset: twinflow-lora-2}",
        ]))
    #expect(!trainer.recipe.isModel)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/lora/model_index.json"))
    var replacements = ImagePipeline.Replacements()
    replacements.loras = [LoRAUse(trainer.recipe.result)]
    let pipeline = try ImagePipeline(
      ModelFolder("\(folder.path)/base"), replacing: replacements, on: engine)
    #expect(try pixels(pipeline).allSatisfy { $0.isFinite })
  }

  /// With an autoencoder among the encoders it works on latents.
  @Test func latentsAreTrainedToo() throws {
    let encoders = "\(folder.path)/encoders"
    try FileManager.default.createDirectory(atPath: encoders, withIntermediateDirectories: true)
    let bert = #"{"pretrained_model_name_or_path": "\#(folder.path)/bert"}"#
    let place = """
      {"pretrained_model_name_or_path": "\(fixtures)/pipe_zimage_a/model", "subfolder": "vae"}
      """
    try Data(
      """
      {"_class_name": "TextDiTPipeline", "text_encoder": ["transformers", "BertModel", \(bert)],
       "tokenizer": ["transformers", "BertTokenizer", \(bert)],
       "vae": ["diffusers", "AutoencoderKL", \(place)]}
      """.utf8
    ).write(to: URL(filePath: "\(encoders)/model_index.json"))
    let reduction = 8
    let channels = try #require(
      ImageAutoencoders.config(from: "\(fixtures)/pipe_zimage_a/model/vae/config.json")
        as? AutoencoderKLConfig
    ).latentChannels
    let recipe = try recipe(
      "latents",
      set: [
        "encoders=\(encoders)", "data.size=[32, 32]",
        "model={kind: text-dit, space: latents, size: 4, channels: \(channels), patch: 2, "
          + "width: 16, depth: 1, heads: 2, text_width: 12}",
      ])
    _ = try trained(recipe)
    let pipeline = try ImagePipeline(
      ModelFolder("\(folder.path)/latents"), on: SharedEngine.get())
    #expect(pipeline.sizeMultiple == 2 * reduction)
    let made = try pixels(pipeline)
    #expect(made.count == 32 * 32 * 3 && made.allSatisfy { $0.isFinite })
  }

  @Test(arguments: [
    (["encoders=null"], "encoders"),
    (["encoders=nowhere"], "There is no model nowhere"),
    (["data.size=[18, 16]"], "multiples of 4"),
    (["data.text_tokens=3"], "data.text_tokens is 3"),
    (["model.text_width=13"], "takes text of 13 features"),
    (["model.space=latents", "model.channels=4", "data.size=[32, 32]"], "names no `vae`"),
    (["model.target_times=true", "start=nowhere"], "There is no model nowhere"),
  ])
  func saysWhatIsWrongBeforeAnythingIsDone(settings: [String], expected: String) throws {
    let error = #expect(throws: (any Error).self) {
      try Trainer(recipe("wrong", set: settings), on: SharedEngine.get())
    }
    #expect("\(error!)".contains(expected), "\(error!)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/wrong"))
  }
}
