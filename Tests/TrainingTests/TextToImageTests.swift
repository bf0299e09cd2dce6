import Datasets
import Files
import Flow
import Foundation
import Models
import PJRT
import Pictures
import Pipelines
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

private let qwen = PublishedModels.qwen
private let edit = PublishedModels.edit
private let zImage = PublishedModels.zImage
private let sd3 = PublishedModels.sd3

/// Training of all weights of published text-to-image models, on small ones with random weights.
@Suite(.serialized) struct TextToImageTests {
  let folder: TextToImageFolder

  init() throws { folder = try TextToImageFolder() }

  @Test func gridsAreDrawnFromPromptsAndReferences() throws {
    let grids = [
      "sample_every=2", "sample_count=2", "sample_steps=[1, 2]", "sample_base_steps=2",
    ]
    for (name, start, settings, rows) in [
      ("qwen", qwen, ["sample_prompts=[a fox, a dog]"], 2),
      ("edit", edit, ["data.references=1", "data.reference_size=[64, 64]"], 4),
    ] {
      let plain = try trained(folder.recipe(name, start, set: settings))
      let drawn = try trained(folder.recipe("\(name)-drawn", start, set: settings + grids))
      for (name, weight) in try plain.weights().pairs {
        #expect(try weight.bytes() == drawn.weights()[name]!.bytes(), "\(name)")
      }
      let folder = SampleFolder(of: drawn.recipe.output)
      #expect(folder.steps == [2, 4])
      let base = try Picture.read(folder.base).picture
      #expect(base.width == 48 && base.height == 32 * rows * 2)
      let pages = try folder.steps.map { try Picture.read(folder.path($0)).picture }
      #expect(pages[0] != pages[1] && pages[0].width == pages[1].width)
    }
  }

  @Test func theBaseOfAGridIsWhatThePipelineMakes() throws {
    let recipe = try folder.recipe(
      "base",
      set: ["sample_every=4", "sample_count=1", "sample_base_steps=2", "sample_prompts=[a fox]"])
    try trained(recipe)
    let found = try Picture.read(SampleFolder(of: recipe.output).base).picture
    let pipeline = try ImagePipeline(ModelFolder(qwen), on: SharedEngine.get())
    let size = ImageSize(height: 32, width: 48)
    let key = try Named([
      ("key", SharedEngine.get().array([UInt64(0), 0], shape: [2])),
      ("number", SharedEngine.get().array([UInt64(0)], shape: [])),
    ])
    let texts = try ["a fox", pipeline.kind.negative].map {
      try pipeline.features(pipeline.tokens([$0]))
    }
    let conditions = try pipeline.conditions(
      texts[0], texts[1], scale: pipeline.kind.defaultGuidance)
    let denoiser = pipeline.denoiser(batch: 1, size)
    // The noise of a whole batch, as in grids.
    let noise = try SharedEngine.get().compile(key.types) { arguments in
      let keys = Key(arguments["key"]!).folded(arguments["number"]!).split(2)
      return Named([
        ("noise", keys[0].normal(denoiser.shape)),
        ("keys.0", .stack([keys[1].split(2)[0].state])),
        ("keys.1", .stack([keys[1].split(2)[1].state])),
      ])
    }(key)
    let steps = pipeline.scheduler.steps(2, tokens: pipeline.tokenCount(size))
    let pixels = try pipeline.codec.decode(denoiser(noise, steps, conditions).samples)
    let expected = try Picture(
      width: 48, height: 32, channels: 3, numbers: pixels.array(of: Float.self))
    let differences = zip(found.values, expected.values).map { abs(Int($0) - Int($1)) }
    #expect(found.values.count == expected.values.count && differences.max()! <= 1)
  }

  @Test(arguments: [
    (qwen, "qwen_image", "time_text_embed_2.timestep_embedder.linear_1.weight"),
    (zImage, "z_image", "t_embedder_2.mlp.0.weight"),
    (sd3, "sd3", "time_text_embed_2.text_embedder.linear_1.weight"),
  ])
  func allWeightsAreTrainedFromAPublishedModel(
    start: String, kind: String, second: String
  ) throws {
    let recipe = try folder.recipe("full", start, kind: kind)
    var notices: [String] = []
    let trainer = try Trainer(recipe, on: SharedEngine.get()) { notices.append($0) }
    #expect(notices.contains { $0.contains("no second time embedder") })
    // The second embedder is a copy of the first one, or random; all else is what was published.
    let stored = try WeightFiles(path: start + "/transformer")
    // A step takes the memory of the weights before it.
    let before = try trainer.weights().mapValues { try $0.bytes() }
    for (name, array) in try trainer.weights().pairs where !name.contains("*") {
      let source = name.replacing("time_text_embed_2", with: "time_text_embed")
      // Random ones are not those of the file.
      let isFresh = kind != "qwen_image" && name.hasPrefix(second.prefix { $0 != "." } + ".")
      guard !isFresh, let type = stored.types[source] else {
        #expect(isFresh)
        continue
      }
      let bytes = stored.bytes(source, Region(whole: type.shape))
      let expected = bytes.withUnsafeBytes { bytes in
        bytes.bindMemory(to: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
      }
      #expect(try array.array(of: Float.self) == expected, "\(name)")
    }
    try trainer.run()
    let after = try trainer.weights()
    #expect(try after[second]!.bytes() != before[second])
    for name in after.names where trainer.recipe.model.isTable(name) {
      #expect(try after[name]!.bytes() == before[name])
    }

    let result = recipe.output + "/transformer"
    #expect(trainer.recipe.result == result)
    let config = try TransformerComponent.config(result + "/config.json")
    #expect(config.hasTargetTime)
    if let config = config as? ZImageConfig { #expect(config.times == .signed) }
    let made = try folder.picture(of: start, transformer: result)
    #expect(made.count == 32 * 48 * 3 && made.allSatisfy { $0.isFinite })
    // The run's own weights are a start too, whose second embedder is read and not replaced.
    let base = try StartWeights(result, like: trainer.recipe.model)
    #expect(base.model == trainer.recipe.model)
    #expect(base.notices(for: base.model).isEmpty)
    let read = try base.weights(of: base.model, on: SharedEngine.get()) { _ in nil }
    #expect(try read[second]!.bytes() == after[second]!.bytes())
    // A file of these weights is no class-conditional network.
    let file = try ModelFile(
      result + "/diffusion_pytorch_model.safetensors", on: SharedEngine.get())
    #expect(throws: PipelineError.takesText(path: file.path)) {
      try Generator(file, batch: 1, on: SharedEngine.get())
    }
  }

  @Test func aRunThatGoesOnEqualsAnUnbrokenOne() throws {
    let engine = try SharedEngine.get()
    try trained(folder.recipe("whole"))
    let first = try Trainer(folder.recipe("halves"), on: engine)
    try first.run(stopping: { first.step == 2 })
    // The weights that it started from are not needed any more.
    let encoders = "encoders=\(qwen)"
    try Trainer(folder.recipe("halves", "nowhere", set: [encoders]), on: engine, start: .resumed)
      .run()
    let weights = "transformer/diffusion_pytorch_model.safetensors"
    for file in ["checkpoints/step-000004/state.safetensors", weights] {
      let files = try ["whole", "halves"].map {
        try SafeTensors(path: folder.path + "/\($0)/\(file)")
      }
      for name in files[0].types.names {
        #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(file): \(name)")
      }
    }
    try expectEqualLogs(["whole", "halves"].map { "\(folder.path)/\($0)" }, steps: [1, 2, 3, 4])
    // Other pictures are other data.
    try Data("a cat".utf8).write(to: URL(filePath: "\(folder.path)/data/p0.txt"))
    #expect(throws: TrainingError.self) {
      try Trainer(folder.recipe("halves", set: ["steps=5"]), on: engine, start: .resumed)
    }
  }

  /// Two of five pictures are tall, a sixth one is damaged; each is also used mirrored.
  @Test func bucketsAreTrainedAndGoOnWhereTheyWereSaved() throws {
    let engine = try SharedEngine.get()
    for number in [1, 3] {
      try Picture(
        width: 40, height: 60, channels: 3,
        values: (0..<60 * 40 * 3).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
      ).write(to: "\(folder.path)/data/p\(number).png")
    }
    try Data("no picture".utf8).write(to: URL(filePath: "\(folder.path)/data/p5.jpg"))
    try Data("a fox".utf8).write(to: URL(filePath: "\(folder.path)/data/p5.txt"))
    let settings = ["data.buckets=[[48, 32]]", "data.flip=true", "steps=6"]
    var notices: [String] = []
    let whole = try Trainer(folder.recipe("whole", set: settings), on: engine) {
      notices.append($0)
    }
    #expect(notices.filter { $0.contains("Left out: \(folder.path)/data/p5.jpg") }.count == 1)
    try whole.run()
    let first = try Trainer(folder.recipe("halves", set: settings), on: engine)
    try first.run(stopping: { first.step == 3 })
    try Trainer(folder.recipe("halves", set: settings), on: engine, start: .resumed).run()
    let files = try ["whole", "halves"].map {
      try SafeTensors(path: folder.path + "/\($0)/checkpoints/step-000006/state.safetensors")
    }
    for name in files[0].types.names {
      #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(name)")
    }
    let data = try RunData(folder.recipe("x", set: settings).resolved().recipe, on: engine) { _ in }
    var batches = try data.prepared(in: folder.path).batches
    let shapes = try (0..<8).map { _ in try batches.next(rows: 0..<4)["sample"]!.type.shape }
    #expect(Set(shapes.map(\.sizes)).count == 2)
    let none = #expect(throws: (any Error).self) {
      try Trainer(folder.recipe("strict", set: settings + ["data.max_damaged=0"]), on: engine)
    }
    #expect("\(none!)".contains("1 picture of \(folder.path)/data is damaged"))
  }

  /// A run can be stopped while its data are encoded.
  @Test func encodingStopsOnRequest() throws {
    let recipe = try folder.recipe("stopped")
    var asked = 0
    let error = #expect(throws: TrainingError.self) {
      try Trainer(
        recipe, on: SharedEngine.get(),
        stopping: {
          asked += 1
          return asked == 3
        })
    }
    #expect(error == .stopped(before: "all samples were encoded"))
    #expect(!FileManager.default.fileExists(atPath: recipe.output))
  }

  /// Exported from a checkpoint, a transformer is a folder that makes the run's pictures, alone and in a
  /// folder of the whole model.
  @Test(arguments: [(qwen, "qwen_image"), (zImage, "z_image"), (sd3, "sd3")])
  func aTransformerIsExported(start: String, kind: String) throws {
    let engine = try SharedEngine.get()
    let recipe = try trained(folder.recipe("full", start, kind: kind, set: ["steps=2"])).recipe
    let run = try #require(try TrainedRun(recipe.output))
    #expect(run.isTransformer && run.model == start)
    let expected = try folder.picture(of: start, transformer: recipe.result)
    let (alone, whole) = ("\(folder.path)/alone", "\(folder.path)/whole")
    #expect(try run.export(to: alone, on: engine) == [alone])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: alone).sorted()
        == ["config.json", "diffusion_pytorch_model.safetensors"])
    #expect(try folder.picture(of: start, transformer: alone) == expected)
    _ = try run.export(to: whole, in: ModelFolder(start), on: engine)
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: whole))
        == Set(FileManager.default.contentsOfDirectory(atPath: start)))
    #expect(try folder.picture(of: whole) == expected)
    #expect(throws: FileError.exists(path: whole)) { try run.export(to: whole, on: engine) }
  }

  @Test func promptsAloneTrainOnTheNetworksOwnSamples() throws {
    let recipe = try folder.recipe(
      "free",
      set: [
        "data={kind: prompts, file: \(folder.path)/prompts.txt, size: [32, 48]}",
        "objective={preset: twinflow-data-free}", "steps=2",
      ])
    #expect(try trained(recipe).function.program.arguments["batch.sample"] == nil)
  }

  /// What a batch holds is what the encoders of the pipeline make.
  @Test func batchesHoldWhatTheEncodersMake() throws {
    let engine = try SharedEngine.get()
    let recipe = try folder.recipe("data", set: ["data.text_tokens=48"])
    let resolved = try recipe.resolved().recipe
    let data = try RunData(resolved, on: engine) { _ in }
    var batches = try data.prepared(in: folder.path).batches
    let batch = try batches.next(rows: 0..<4)
    #expect(batch.mapValues(\.type) == data.inputs.types(batch: 4))
    var sampler = BatchSampler(count: 5, seed: recipe.seed)
    let pipeline = try ImagePipeline(ModelFolder(qwen), on: engine)
    for (row, pick) in sampler.next(4).enumerated() {
      let image = try RGBImage(contentsOf: "\(folder.path)/data/p\(pick.index).png")
        .covering(width: 48, height: 32)
      let latents = try pipeline.latents(image).array(of: Float.self)
      #expect(areClose(values(batch["sample"]!, row), latents))
      let prompts = ["a fox number \(pick.index)", "a picture of a fox in the snow at dawn"]
      for (prefix, prompt) in [
        ("", prompts[Int(pick.draw % 2)]), ("unconditional.", "Generate an image."),
      ] {
        let tokens = try pipeline.tokens([prompt])
        let features = try pipeline.features(tokens)
        let count = features.counts[0]
        #expect(batch[prefix + "text_mask"]!.array(of: Int32.self)[row] == Int32(count))
        let text = values(batch[prefix + "text"]!, row)
        let expected = try features.condition["text"]!.array(of: Float.self)
        let width = text.count / 48
        #expect(areClose(Array(text[..<(count * width)]), Array(expected[..<(count * width)])))
        #expect(text[(count * width)...].allSatisfy { $0 == 0 })
      }
    }
    // Some rows are those of the whole batch.
    var others = try RunData(resolved, on: engine) { _ in }.prepared(in: folder.path).batches
    let part = try others.next(rows: 2..<3)
    #expect(values(part["sample"]!, 0) == values(batch["sample"]!, 2))
    #expect(values(part["text"]!, 0) == values(batch["text"]!, 2))
  }

  /// Whether numbers are equal up to rounding, which depends on the size of a batch.
  private func areClose(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($1)) }
  }

  /// The elements of a row.
  private func values(_ array: HostArray, _ row: Int) -> [Float] {
    let values: [Float] = array.array()
    let count = values.count / array.type.shape[0]
    return Array(values[row * count..<(row + 1) * count])
  }

  /// The encoders and the step are spread over the devices of a mesh.
  @Test func aMeshTrainsTheSame() throws {
    let client = try Client(Plugin.load(), options: ["cpu_device_count": 2])
    let cache = ExecutableCache(
      directory: NSTemporaryDirectory() + "twinflow-test-executables")
    let losses = try [1, 2].map { count in
      let trainer = try Trainer(
        folder.recipe("mesh\(count)", set: ["mesh.fsdp=\(count)"]),
        on: Engine(client: client, cache: cache))
      return try (0..<2).map { _ in try trainer.advance()["loss"]! }
    }
    for (one, two) in zip(losses[0], losses[1]) { #expect(abs(one - two) < 1e-3 * abs(one)) }
  }

  /// A plan needs neither weights nor data, and takes a published network's sizes then.
  @Test func plansNeedNothing() throws {
    let path = PublishedModels.fixtures + "/../../../Recipes/qwen-image/twinflow-lora.yaml"
    let recipe = try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: path,
      settings: [
        "start=nowhere/at/all", "data.folder=nowhere", "batch=4", "gradient_accumulation_steps=1",
      ].map { try RecipeSetting($0) })
    let plan = try Plan(recipe, on: SharedEngine.get().client)
    #expect((20.8e9...20.9e9).contains(Double(plan.weights)))
    #expect((0.42e9...0.43e9).contains(Double(plan.weights - plan.frozenWeights)))
    // bf16 for what is frozen, f32 for what is trained with its moments.
    #expect((40e9...41.5e9).contains(Double(plan.frozenBytes)))
    #expect(plan.memory.moments == 2 * plan.memory.gradients)
    #expect(plan.memory.averages == 0 && plan.flops > 1e14)
  }
}
