import Files
import Foundation
import Models
import Pictures
import Pipelines
import Recipe
import TestSupport
import Testing
import Weights

@testable import Training

/// Training of class-conditional networks in the latents of an autoencoder.
@Suite(.serialized) struct LatentClassTrainingTests {
  static let autoencoder = "\(PublishedModels.fixtures)/pipe_sd3_a/model/vae"

  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (label, name) in ["cat", "dog", "fox"].enumerated() {
      let place = "\(folder.path)/data/\(name)"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      for number in 0..<4 {
        try Picture(
          width: 70 + number, height: 66, channels: 3,
          values: (0..<(70 + number) * 66 * 3).map {
            UInt8(truncatingIfNeeded: $0 * (number + 3) + 90 * label)
          }
        ).write(to: "\(place)/\(number).png")
      }
    }
  }

  private func recipe(_ output: String, set settings: [String] = []) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: sit, size: 8, channels: 4, width: 16, depth: 2, heads: 2, classes: 3}
      encoders: \(Self.autoencoder)
      objective: {preset: twinflow}
      data:
        {kind: class-images, folder: \(folder.path)/data, classes: 3, size: [64, 64], flip: true}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      condition_dropout: 0.2
      batch: 4
      steps: 4
      seed: 3
      output: \(folder.path)/\(output)
      log_every: 1
      checkpoint_every: 2
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "classes.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  /// MeanFlow's weights make nearly equal losses.
  private func trained(_ recipe: TrainingRecipe) throws -> Trainer {
    try TrainingTests.trained(recipe, distinct: 2)
  }

  @Test(arguments: ["flow-matching", "twinflow", "rcgm", "meanflow"])
  func theRunIsAModelThatMakesPicturesOfClasses(preset: String) throws {
    let isMultiStep = preset == "flow-matching"
    let trainer = try trained(
      recipe("run", set: ["objective={preset: \(preset)}"] + (isMultiStep ? ["guidance=2"] : [])))
    let engine = try SharedEngine.get()
    let pipeline = try ModelOfRun.pipeline(at: trainer.recipe.output, .init(), on: engine)
    #expect(pipeline.classCount == 3 && pipeline.isAnyStep == !isMultiStep)
    func picture(_ prompt: String, seed: UInt64 = 1) throws -> [Float] {
      var request = ImageRequest(prompt: prompt, seed: seed)
      request.steps = 2
      let resolved = try pipeline.resolve(request)
      #expect(resolved.size == ImageSize(height: 64, width: 64))
      #expect((resolved.guidance != nil) == isMultiStep)
      return try pipeline([[resolved]])[0].array(of: Float.self)
    }
    let made = try picture("2")
    #expect(made.count == 64 * 64 * 3 && made.allSatisfy { $0.isFinite })
    #expect(try picture("Fox") == made)
    #expect(try picture("cat") != made && picture("2", seed: 2) != made)
    #expect(throws: PipelineError.unknownClassName("fix", classes: 3, nearest: "fox")) {
      try picture("fix")
    }
    #expect(throws: PipelineError.unknownClass("3", classes: 3, source: nil)) { try picture("3") }
    // The same pictures in an archive, whatever the size of its batches.
    var request = ImageRequest(prompt: "0")
    request.steps = 2
    let samples = try ClassSamples(pipeline, like: request, batch: 3)
    var found: [RGBImage] = []
    try samples(5, seed: 7) { found += $1 }
    #expect(found.count == 5 && samples.label(4) == 1)
    let alone = try RGBImage(
      Picture(width: 64, height: 64, channels: 3, numbers: picture("1", seed: 11)))
    let difference = zip(found[4].values, alone.values).map { abs(Int($0) - Int($1)) }.max()!
    #expect(difference <= 1)
  }

  @Test func aRunThatGoesOnEqualsAnUnbrokenOne() throws {
    let engine = try SharedEngine.get()
    let whole = try trained(recipe("whole")).weights().mapValues { try $0.bytes() }
    let first = try Trainer(recipe("halves"), on: engine)
    try first.run(stopping: { first.step == 2 })
    var notices: [String] = []
    let rest = try Trainer(recipe("halves"), on: engine, start: .resumed) { notices.append($0) }
    #expect(notices.contains { $0.contains("Encoded 0 pictures") }, "\(notices)")
    try rest.run()
    for (name, weight) in try rest.weights().pairs {
      #expect(try weight.bytes() == whole[name], "\(name)")
    }
  }

  @Test func aTableOfLabelsTrainsAsTheFolderDoes() throws {
    // In the order of the folder's files.
    let rows = ["cat", "dog", "fox"].enumerated().flatMap { label, name in
      (0..<4).map { "{\"image\": \"data/\(name)/\($0).png\", \"label\": \(label)}" }
    }
    try Data(rows.joined(separator: "\n").utf8)
      .write(to: URL(filePath: "\(folder.path)/rows.jsonl"))
    let table = "data={kind: manifest, file: \(folder.path)/rows.jsonl, size: [64, 64], flip: true}"
    let whole = try trained(recipe("folder")).weights().mapValues { try $0.bytes() }
    for (name, weight) in try trained(recipe("table", set: [table])).weights().pairs {
      #expect(try weight.bytes() == whole[name], "\(name)")
    }
  }

  @Test func classesAloneTrainWithoutData() throws {
    func free(_ classes: String) throws -> TrainingRecipe {
      try Data(classes.utf8).write(to: URL(filePath: "\(folder.path)/classes.txt"))
      return try recipe(
        "free",
        set: [
          "data={kind: prompts, file: \(folder.path)/classes.txt, size: [64, 64]}",
          "objective={preset: twinflow, data_free: true, target_ema_decay: 1}",
        ])
    }
    // Names are those in the index of a model, and an autoencoder alone has none.
    let error = #expect(throws: PipelineError.self) { try trained(free("0\n1\n2\ncat\n")) }
    #expect("\(error!)".contains("cat"), "\(error!)")
    _ = try trained(free("0\n1\n2\n1\n"))
  }

  @Test func loRAIsTrainedBesideAWholeModel() throws {
    let base = try trained(recipe("base", set: ["objective={preset: flow-matching}"])).recipe
    let settings = [
      "model={kind: sit}", "objective={preset: twinflow}", "lora={rank: 2, full: [t_embedder_2]}",
    ]
    let run = try trained(recipe("lora", set: settings + ["start=\(base.output)"])).recipe
    let pipeline = try ModelOfRun.pipeline(at: run.output, .init(), on: SharedEngine.get())
    #expect(pipeline.folder.path == base.output && pipeline.isAnyStep)
    var request = ImageRequest(prompt: "dog")
    request.steps = 1
    let made = try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
    #expect(made.allSatisfy { $0.isFinite })
    // A transformer alone makes no pictures.
    let error = #expect(throws: (any Error).self) {
      try Trainer(
        recipe("alone", set: settings + ["start=\(base.output)/transformer"]),
        on: SharedEngine.get())
    }
    #expect("\(error!)".contains("a whole model is needed"), "\(error!)")
  }

  @Test func gridsHaveARowForEachClass() throws {
    let trainer = try trained(
      recipe(
        "grids", set: ["sample_every=2", "sample_count=2", "sample_steps=[1]", "steps=2"]))
    let picture = try Picture.read("\(trainer.recipe.output)/samples/step-000002.png").picture
    #expect(picture.width > 2 * 64 && picture.height > 3 * 64)
  }

  @Test(arguments: [
    ("data.crop=random", "latents of a picture are computed once"),
    ("data.channels=1", "autoencoders take colors"),
    ("data.classes=2", "data.classes is 2"),
    ("data={kind: images, folder: data, size: [64, 64]}", "set kind to class-images"),
    ("data={kind: eight-gaussians}", "set kind to class-images"),
    ("data.size=[60, 60]", "multiples of 16"),
    ("model.channels=16", "16 channels"),
    ("encoders=null", "Name its folder under encoders"),
    ("model.classes=2", "has 3: set classes to 3 or more"),
    ("data={kind: manifest, file: ROWS, size: [64, 64]}", "A class of ROWS, line 2 is 9"),
  ])
  func saysWhatIsWrongBeforeAnythingIsEncoded(setting: String, expected: String) throws {
    let rows = "\(folder.path)/rows.jsonl"
    try Data(
      (0..<4).map { "{\"image\": \"data/cat/\($0).png\", \"label\": \($0 * 9)}" }
        .joined(separator: "\n").utf8
    ).write(to: URL(filePath: rows))
    let error = #expect(throws: (any Error).self) {
      try Trainer(
        recipe("wrong", set: [setting.replacing("ROWS", with: rows)]), on: SharedEngine.get())
    }
    #expect("\(error!)".contains(expected.replacing("ROWS", with: rows)), "\(error!)")
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/wrong/encoded"))
  }
}
