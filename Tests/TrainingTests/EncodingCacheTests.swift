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

@testable import Training

/// The cache of latents and features, on small encoders with random weights.
@Suite(.serialized) struct EncodingCacheTests {
  private let folder: TemporaryFolder
  private let vae = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden/pipe_zimage_a/model").standardized.path
  private var cache: String { "\(folder.path)/cache" }

  init() throws {
    folder = try TemporaryFolder()
    try BertFolder.write("\(folder.path)/bert")
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/data", withIntermediateDirectories: true)
    for (number, prompt) in ["a fox", "a red cat", "the dog", "a house on a hill"].enumerated() {
      try add(number, prompt)
    }
  }

  /// Adds a picture with a prompt of its own and another one that all pictures have.
  private func add(_ number: Int, _ prompt: String, to name: String = "data") throws {
    let folder = "\(folder.path)/\(name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Picture(
      width: 40, height: 32, channels: 3,
      values: (0..<40 * 32 * 3).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
    ).write(to: "\(folder)/p\(number).png")
    try Data("\(prompt)\na picture of the house in the snow\n".utf8)
      .write(to: URL(filePath: "\(folder)/p\(number).txt"))
  }

  /// A recipe in pixels, or with an autoencoder.
  private func recipe(_ settings: [String] = [], latents: Bool = false) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: text-dit, size: 16, width: 16, depth: 1, heads: 2, text_width: 12}
      encoders: \(folder.path)/bert
      objective: {preset: flow-matching}
      data: {kind: images, folder: \(folder.path)/data, size: [16, 16]}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      cache: \(cache)
      batch: 2
      steps: 2
      output: \(folder.path)/run
      """
    var all = settings
    if latents {
      try writeEncoders()
      all += [
        "encoders=\(folder.path)/encoders", "data.size=[32, 32]",
        "model={kind: text-dit, space: latents, size: 4, channels: \(try channels), patch: 2, "
          + "width: 16, depth: 1, heads: 2, text_width: 12}",
      ]
    }
    return try RecipeDecoder.decode(
      yaml: yaml, file: "small.yaml", settings: all.map { try RecipeSetting($0) })
  }

  private var channels: Int {
    get throws {
      try #require(
        ImageAutoencoders.config(from: "\(vae)/vae/config.json") as? AutoencoderKLConfig
      ).latentChannels
    }
  }

  private func writeEncoders() throws {
    let encoders = "\(folder.path)/encoders"
    try FileManager.default.createDirectory(atPath: encoders, withIntermediateDirectories: true)
    let bert = #"{"pretrained_model_name_or_path": "\#(folder.path)/bert"}"#
    let place = #"{"pretrained_model_name_or_path": "\#(vae)", "subfolder": "vae"}"#
    try Data(
      """
      {"_class_name": "TextDiTPipeline", "text_encoder": ["transformers", "BertModel", \(bert)],
       "tokenizer": ["transformers", "BertTokenizer", \(bert)],
       "vae": ["diffusers", "AutoencoderKL", \(place)]}
      """.utf8
    ).write(to: URL(filePath: "\(encoders)/model_index.json"))
  }

  private func encoder(
    _ recipe: TrainingRecipe, notice: @escaping (String) -> Void = { _ in }
  ) throws -> DataEncoder {
    try DataEncoder(
      recipe.resolved().recipe, #require(recipe.data.promptDataSet), on: SharedEngine.get(),
      notice: notice)
  }

  private func encoded(
    _ recipe: TrainingRecipe, notice: @escaping (String) -> Void = { _ in }
  ) throws -> DataEncoder.EncodedData {
    try encoder(recipe, notice: notice).encoded(in: recipe.output)
  }

  /// All arrays of the first batch.
  private func batch(_ data: DataEncoder.EncodedData) throws -> [String: [UInt8]] {
    var batches = EncodedBatches(data.set, size: data.set.count, seed: 1)
    let arrays = try batches.next(rows: 0..<data.set.count)
    return Dictionary(uniqueKeysWithValues: arrays.pairs.map { ($0.name, $0.value.bytes) })
  }

  private func shards(_ kind: String) throws -> [String] {
    let folders = try FileManager.default.contentsOfDirectory(atPath: cache)
      .filter { $0.hasPrefix("\(kind)-") }.sorted()
    return try folders.flatMap { folder in
      try FileManager.default.contentsOfDirectory(atPath: "\(cache)/\(folder)")
        .filter { $0.hasPrefix("shard-") }.sorted().map { "\(cache)/\(folder)/\($0)" }
    }
  }

  @Test(arguments: [false, true])
  func aRestartEncodesOnlyWhatIsNew(latents: Bool) throws {
    let recipe = try recipe(latents: latents)
    let first = try encoded(recipe)
    // Each picture's own prompt, the one of all, and the unconditional one.
    #expect(first.made == (4, 6))
    let second = try encoded(recipe)
    #expect(second.made == (0, 0))
    #expect(try batch(second) == batch(first))
    try add(4, "a green fox")
    let third = try encoded(recipe)
    #expect(third.made == (1, 1) && third.set.count == 5)
    // A name is not content.
    let data = "\(folder.path)/data"
    for suffix in ["png", "txt"] {
      try FileManager.default.moveItem(
        atPath: "\(data)/p4.\(suffix)", toPath: "\(data)/other.\(suffix)")
    }
    #expect(try encoded(recipe).made == (0, 0))
  }

  /// Encoders are loaded only where something is to be encoded, and released before training.
  @Test func encodersAreReleased() throws {
    let recipe = try recipe(latents: true)
    for made in [4, 0] {
      let encoder = try encoder(recipe)
      var wasLoaded = false
      let data = try encoder.encoded(in: recipe.output) { _ in
        wasLoaded = wasLoaded || encoder.pipeline.encoder.component.isLoaded
      }
      #expect(data.made.pictures == made)
      #expect(!encoder.pipeline.encoder.component.isLoaded)
      #expect(encoder.pipeline.codec.component?.isLoaded == false)
      if made == 0 { #expect(!wasLoaded) }
    }
  }

  @Test func versionsOfAPictureAreEntriesOfTheirOwn() throws {
    #expect(try encoded(recipe()).made.pictures == 4)
    let versions = try recipe(["data.flip=true", "data.random_crops=2"])
    let data = try encoded(versions)
    #expect(data.set.count == 16 && data.made == (16, 0))
    #expect(try encoded(versions).made == (0, 0))
    // Mirrored, the centres are four more.
    #expect(try encoded(recipe(["data.flip=true"])).made == (4, 0))
    #expect(try encoded(recipe(["data.size=[16, 20]"])).made == (4, 0))
    #expect(try encoded(recipe(["data.ground=[0, 0, 0]"])).made == (4, 0))
  }

  @Test func otherWeightsAndSettingsAreNoticed() throws {
    _ = try encoded(recipe())
    let weights = "\(folder.path)/bert/model.safetensors"
    let whole = try Data(contentsOf: URL(filePath: weights))
    var bytes = whole
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(filePath: weights))
    var notices: [String] = []
    let other = try encoded(recipe()) { notices.append($0) }
    #expect(other.made == (0, 6))
    let stale = notices.filter { $0.contains("not used") }
    #expect(stale.count == 1 && stale[0].contains("another text encoder: texts-"), "\(notices)")
    // What was there is there still.
    try whole.write(to: URL(filePath: weights))
    #expect(try encoded(recipe()).made == (0, 0))
    notices = []
    #expect(try encoded(recipe(["precision=bf16"])) { notices.append($0) }.made == (0, 6))
    #expect(notices.contains { $0.contains("another precision: texts-") && $0.contains("1 more") })
  }

  @Test(arguments: ["pictures", "texts"])
  func aDamagedFileIsEncodedAgain(kind: String) throws {
    let recipe = try recipe(latents: true)
    let expected = try batch(encoded(recipe))
    let path = try #require(shards(kind).first)
    let whole = try Data(contentsOf: URL(filePath: path))
    var flipped = whole
    flipped[whole.count / 2] ^= 4
    for (damaged, reason) in [
      (flipped, "its content is not as it was written"), (whole.prefix(whole.count / 2), "bytes"),
      (Data(), "it has 0 bytes"),
    ] {
      try damaged.write(to: URL(filePath: path))
      var notices: [String] = []
      let plan = try #require(try EncodingPlan(recipe, on: SharedEngine.get()))
      let again = try encoded(recipe) { notices.append($0) }
      #expect(again.made == (kind == "pictures" ? (4, 0) : (0, 6)))
      #expect(plan.pictures.count - plan.pictures.known == again.made.pictures)
      #expect(plan.texts.count - plan.texts.known == again.made.texts)
      let said = notices.filter { $0.contains("is damaged") }
      #expect(said.count == 1 && said[0].contains(path) && said[0].contains(reason), "\(said)")
      #expect(try batch(again) == expected)
      #expect(try encoded(recipe).made == (0, 0))
    }
  }

  @Test func aStoppedEncodingGoesOn() throws {
    struct Stop: Error {}
    let recipe = try recipe()
    var asked = 0
    #expect(throws: Stop.self) {
      try encoder(recipe).encoded(in: recipe.output) { _ in
        asked += 1
        if asked == 4 { throw Stop() }
      }
    }
    let rest = try encoded(recipe)
    #expect(rest.made == (1, 6))
    let whole = try encoded(self.recipe(["cache=\(folder.path)/other"]))
    #expect(whole.made == (4, 6))
    #expect(try batch(rest) == batch(whole))
  }

  /// What is made of a picture or a text does not depend on what is encoded with it.
  @Test func batchesDoNotMatter() throws {
    let recipe = try recipe(latents: true)
    let pipeline = try encoder(recipe).pipeline
    func store(_ kind: EncodedStore.Kind, _ name: String) throws -> EncodedStore {
      try EncodedStore(
        kind, in: "\(folder.path)/\(name)", content: [:], encoders: "", group: nil)
    }
    func bytes(_ store: EncodedStore, _ key: EncodingKey) -> [UInt8] {
      let place = store.place(of: key)
      return Array(store.shards[Int(place.shard)].bytes(Int(place.entry)))
    }
    let images = (0..<19).map { number in
      RGBImage(
        width: 32, height: 32,
        values: (0..<32 * 32 * 3).map { UInt8(truncatingIfNeeded: $0 &* (number + 5)) })
    }
    let texts =
      (0..<19).map { "a red fox in the snow" + String(repeating: " fox", count: $0 % 7) }
      + ["the cat"]
    let (all, some) = (try store(.pictures, "all"), try store(.pictures, "some"))
    let (allTexts, someTexts) = (try store(.texts, "all"), try store(.texts, "some"))
    for (picked, pictures, features) in [
      (Array(0..<19), all, allTexts), ([18, 7, 2], some, someTexts),
    ] {
      var encoding = PictureEncoding(pipeline, pictures)
      for number in picked {
        try encoding.add(images[number], as: EncodingKey(picture: "\(number)"))
      }
      try encoding.finish()
      try pictures.finish()
      var text = TextFeatureEncoding(pipeline, features)
      for number in picked { _ = try text.add([texts[number]]) }
      _ = try text.add(["the cat"])
      try text.finish()
      try features.finish()
    }
    for number in [18, 7, 2] {
      let picture = EncodingKey(picture: "\(number)")
      #expect(bytes(all, picture) == bytes(some, picture))
      let text = EncodingKey(text: texts[number])
      #expect(bytes(allTexts, text) == bytes(someTexts, text))
      // And it is what the pipeline makes of it alone.
      let alone = try pipeline.latents(images[number]).array(of: Float.self)
      let found = bytes(all, picture).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      #expect(zip(alone, found).allSatisfy { abs($0 - $1) < 1e-4 } && alone.count == found.count)
      let features = try pipeline.features(pipeline.tokens([texts[number]]))
      let expected = try features.condition["text"]!.array(of: Float.self)
      let made = bytes(allTexts, text).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      #expect(made.count == features.counts[0] * 12)
      #expect(zip(made, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test func runsShareACacheAtTheSameTime() async throws {
    for number in 4..<8 { try add(number, "a fox on the hill", to: "more") }
    try add(0, "a fox", to: "more")
    let recipes = try [recipe(), recipe(["data.folder=\(folder.path)/more"])]
    let made = try await withThrowingTaskGroup(of: [String: [UInt8]].self) { group in
      for recipe in recipes + recipes {
        group.addTask { [self] in try batch(encoded(recipe)) }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(made).count == 2)
    for recipe in recipes {
      let again = try encoded(recipe)
      #expect(again.made == (0, 0))
      #expect(made.contains(try batch(again)))
    }
  }

  /// Sample grids take their prompts from the cache.
  @Test func gridsAreEncodedWithTheData() throws {
    let settings = ["sample_every=1", "sample_prompts=[a fox, a green dog]"]
    let first = try encoded(recipe(settings))
    // One prompt is new; that which guidance leads away from is the unconditional one.
    #expect(first.made == (4, 7) && first.grid?.texts == ["a fox", "a green dog"])
    let second = try encoded(recipe(settings))
    #expect(second.made == (0, 0))
    #expect(second.grid?.given["text"]?.bytes == first.grid?.given["text"]?.bytes)
    #expect(second.grid?.given["text"]?.type.shape.sizes.dropFirst(2) == [12])
  }

  /// Evaluations take from the cache what is there.
  @Test func promptsOfEvaluationsAreKeptToo() throws {
    let recipe = try recipe()
    _ = try encoded(recipe)
    let files = try shards("texts")
    let pipeline = try recipe.pipeline(with: nil, on: SharedEngine.get())
    for (prompts, new) in [
      (["a fox", "the dog"], 0), (["a fox", "a green dog"], 1), (["a fox"], 1),
    ] {
      let found = try recipe.encodedPrompts(prompts, by: pipeline, multiple: 16) { _ in }
      // With the prompt that guidance leads away from.
      #expect(found.count == prompts.count + 1)
      #expect(try shards("texts").count == files.count + new)
      #expect(!pipeline.encoder.component.isLoaded)
    }
  }

  @Test func theCacheOfARunIsInItsFolder() throws {
    let recipe = try recipe(["cache=null"])
    try Trainer(recipe, on: SharedEngine.get()).run()
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(recipe.output)/encoded")
    #expect(names.map { $0.prefix { $0 != "-" } }.sorted() == ["pictures", "texts"])
    #expect(try encoded(recipe).made == (0, 0))
    let plan = try #require(try EncodingPlan(recipe, on: SharedEngine.get()))
    #expect(plan.pictures == .init(count: 4, byteCount: 4 * 16 * 16 * 3, known: 4))
    #expect(plan.texts.count == 6 && plan.texts.known == 6)
  }

  @Test func saysWhereTheCacheCannotBeWritten() throws {
    try Data("a file".utf8).write(to: URL(filePath: cache))
    let error = #expect(throws: FileError.self) { try encoded(recipe()) }
    #expect("\(error!)".contains("\(cache)/") && "\(error!)".contains("cannot be written"))
  }
}
