import Files
import Foundation
import Pictures
import Recipe
import TestSupport
import Testing
import Weights

@testable import Training

/// Training on folders of classes.
@Suite struct ClassImageTrainingTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (label, name) in ["cat", "dog"].enumerated() {
      let place = "\(folder.path)/data/\(name)"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      for number in 0..<5 {
        try Picture(
          width: 12, height: 10, channels: 1,
          values: (0..<120).map { UInt8(truncatingIfNeeded: $0 * (number + 3) + 90 * label) }
        ).write(to: "\(place)/\(number).png")
      }
    }
    try Data("no picture".utf8).write(to: URL(filePath: "\(folder.path)/data/dog/9.png"))
  }

  private func recipe(_ output: String, _ settings: String...) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: dit, size: 8, channels: 1, patch: 4, width: 8, depth: 1, heads: 1, classes: 2}
      objective: {preset: twinflow}
      data:
        {kind: class-images, folder: \(folder.path)/data, classes: 2, size: [8, 8], channels: 1,
        crop: random, flip: true}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      batch: 4
      steps: 6
      seed: 5
      output: \(folder.path)/\(output)
      log_every: 1
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "classes.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  @Test func aRunThatGoesOnEqualsAnUnbrokenOne() throws {
    let engine = try SharedEngine.get()
    var notices: [String] = []
    let whole = try Trainer(recipe("whole"), on: engine) { notices.append($0) }
    #expect(notices.count { $0.contains("Left out: \(folder.path)/data/dog/9.png") } == 1)
    try whole.run()
    let first = try Trainer(recipe("halves"), on: engine)
    // Within the second epoch.
    try first.run(stopping: { first.step == 3 })
    try Trainer(recipe("halves"), on: engine, start: .resumed).run()
    let files = try ["whole", "halves"].map {
      try SafeTensors(path: "\(folder.path)/\($0)/weights.safetensors")
    }
    for name in files[0].types.names {
      #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(name)")
    }
    // Another picture is other data.
    try Picture(width: 1, height: 1, channels: 1, values: [9])
      .write(to: "\(folder.path)/data/cat/0.png")
    #expect(throws: TrainingError.self) {
      try Trainer(recipe("halves", "steps=7"), on: engine, start: .resumed)
    }
  }

  @Test(arguments: [
    ("data.max_damaged=0", "1 picture of"), ("data.classes=1", "data.classes is 1"),
    ("batch=12", "has 10 samples, and a batch takes 12"),
  ])
  func saysWhatIsWrongBeforeAnythingIsDone(setting: String, expected: String) throws {
    let error = #expect(throws: (any Error).self) {
      try Trainer(recipe("wrong", setting), on: SharedEngine.get())
    }
    #expect("\(error!)".contains(expected), "\(error!)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/wrong"))
  }
}
