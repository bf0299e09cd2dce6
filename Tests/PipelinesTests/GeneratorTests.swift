import Runtime
import Flow
import Models
import Tensors
import TestSupport
import Testing

@testable import Pipelines

@Suite struct GeneratorTests {
  /// Weights before training: the velocity is 0, and noise is returned unchanged.
  private func untrained(_ engine: Engine) throws -> (file: ModelFile, folder: TemporaryFolder) {
    var config = DiTConfig()
    (config.patch, config.width, config.depth, config.heads) = (14, 8, 1, 1)
    let model = ModelConfig(config)
    let folder = try TemporaryFolder()
    let path = folder.path + "/weights.safetensors"
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    try ModelFile.write(weights, card: ModelFile.Card(model: model), to: path, on: engine)
    return (try ModelFile(path, on: engine), folder)
  }

  @Test func seedsAndBatchesHaveDifferentNoise() throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let generator = try Generator(file, batch: 2, on: engine)
    func images(_ seed: UInt64, _ number: Int) throws -> [Float] {
      try generator(["3", "4"], .euler(1), seed: seed, number: number).array(of: Float.self)
    }
    #expect(try images(5, 2) == images(5, 2))
    let drawn = try [(5, 0), (5, 1), (5, 2), (5, 3), (6, 0), (6, 1)].map {
      try images(UInt64($0.0), $0.1)
    }
    for (i, a) in drawn.enumerated() {
      #expect(Set(a).count > a.count * 99 / 100)
      for b in drawn[..<i] {
        #expect(Set(a).intersection(b).count < a.count / 100)
        let correlation = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / Float(a.count)
        #expect(abs(correlation) < 0.1)
      }
    }
  }

  @Test(arguments: ["-1", "10", "99", "Boot", "3 "])
  func promptsThatNameNoClassAreRejected(_ text: String) throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let generator = try Generator(file, batch: 2, on: engine)
    // An empty prompt asks for no class.
    _ = try generator(["0", ""], .euler(1), seed: 1)
    #expect(throws: PipelineError.unknownClass(text, classes: 10, source: nil)) {
      try generator(["3", Prompt(text)], .euler(1), seed: 1)
    }
  }

  @Test(arguments: [Float.nan, .infinity, 3e38])
  func nonFiniteSamplesAreAnError(weight: Float) throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    var weights = try file.weights
    for name in weights.names where name.hasPrefix("output") || name.hasPrefix("modulation") {
      let shape = weights[name]!.type.shape
      weights[name] = try engine.array(
        [Float](repeating: weight, count: shape.count), shape: shape.sizes)
    }
    let path = folder.path + "/damaged.safetensors"
    try ModelFile.write(weights, card: file.card, to: path, on: engine)
    let generator = try Generator(ModelFile(path, on: engine), batch: 2, on: engine)
    #expect(throws: PipelineError.imagesNotFinite(path: path, guidance: 1.5)) {
      try generator(["3", "4"], .euler(2), guidance: 1.5, seed: 1)
    }
  }

  @Test func aClassifierMakesNoImages() throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    let model = ModelConfig(ClassifierConfig())
    let path = folder.path + "/classifier.safetensors"
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    try ModelFile.write(weights, card: ModelFile.Card(model: model), to: path, on: engine)
    let file = try ModelFile(path, on: engine)
    #expect(throws: PipelineError.notGenerative(path: path)) {
      try Generator(file, batch: 1, on: engine)
    }
  }

  @Test("One program makes any number of steps, reports each, and can be cancelled")
  func steps() throws {
    struct Stop: Error {}
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let generator = try Generator(file, batch: 2, on: engine)
    for count in [1, 2, 4, 8, 50] {
      var seen: [Int] = []
      let images = try generator(["1", ""], .preset(count), seed: 3) { progress in
        seen.append(progress.step)
        #expect(progress.total == SamplerSettings.preset(count).steps.count)
        #expect(progress.preview.type.shape == [2, 28, 28, 1])
      }
      #expect(seen == Array(1...SamplerSettings.preset(count).steps.count))
      #expect(
        try images.array(of: Float.self)
          == generator(["1", ""], .preset(count), seed: 3).array(of: Float.self))
    }
    // Of each number of steps the program of its keys, and once the first state and one step.
    #expect(generator.programCount == 5 + 2)
    var seen = 0
    #expect(throws: Stop.self) {
      _ = try generator(["1", ""], .preset(50), seed: 3) { progress in
        seen = progress.step
        if progress.step == 3 { throw Stop() }
      }
    }
    #expect(seen == 3)
  }

  @Test func theSizeBelongsToTheBatch() throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let generator = try Generator(
      file, batch: 1, size: ImageSize(height: 28, width: 56), on: engine)
    #expect(try generator(["3"], .euler(2), seed: 1).type.shape == [1, 28, 56, 1])
  }

  @Test func weightsAreLoadedAndReleased() throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let generator = try Generator(file, batch: 1, on: engine)
    let images = try generator(["3"], .euler(2), seed: 1).array(of: Float.self)
    file.component.release()
    #expect(!file.component.isLoaded)
    #expect(try generator(["3"], .euler(2), seed: 1).array(of: Float.self) == images)
    #expect(file.component.isLoaded)
  }

  @Test("Weights in half precision are widened where they are used")
  func storage() throws {
    let engine = try SharedEngine.get()
    let (file, folder) = try untrained(engine)
    defer { withExtendedLifetime(folder) {} }
    let narrow = folder.path + "/narrow.safetensors"
    try ModelFile.write(file.weights, card: file.card, to: narrow, as: .bfloat16, on: engine)
    let wide = folder.path + "/wide.safetensors"
    let stored = try ModelFile(narrow, on: engine)
    #expect(try stored.weights.types.values.allSatisfy { $0.dtype == .bfloat16 })
    try ModelFile.write(stored.weights, card: file.card, to: wide, on: engine)
    let images = try [narrow, wide].map { path in
      try Generator(ModelFile(path, on: engine), batch: 1, on: engine)(
        ["3"], .euler(2), guidance: 0.5, seed: 1
      ).array(of: Float.self)
    }
    #expect(images[0] == images[1])
  }
}
