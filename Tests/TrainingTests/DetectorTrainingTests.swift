import Datasets
import Recipe
import TestSupport
import Testing

@testable import Training

/// A detector on scenes of patterns.
@Suite struct DetectorTrainingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try EmojiPictures.write(to: folder.path + "/emoji")
  }

  private func recipe(_ settings: String...) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: detector, width: 16, depth: 1}
      objective: {kind: detection}
      data: {kind: emoji-scenes, folder: \(folder.path)/emoji, distortion: false}
      optimizer: {kind: adamw, learning_rate: 5e-3, max_grad_norm: 5}
      batch: 4
      steps: 24
      seed: 3
      output: \(folder.path)/run
      log_every: 1
      checkpoint_every: 100
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "detector.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  @Test func lossFalls() throws {
    let trainer = try Trainer(recipe(), on: SharedEngine.get())
    let losses = try (0..<24).map { _ in try trainer.advance()["loss"]! }
    let (first, last) = (losses.prefix(4).reduce(0, +), losses.suffix(4).reduce(0, +))
    #expect(losses.allSatisfy(\.isFinite) && last < 0.7 * first, "\(losses)")
  }

  @Test(arguments: [
    ("data={kind: noise, size: 64, channels: 3}", "it has no boxes of objects"),
    ("model.classes=10", "emoji-scenes have 34 classes and 6 colors"),
    ("model.objects=2", "up to 4 objects"),
    ("model.size=32", "its samples are [64, 64, 3]"),
    ("objective={kind: classification}", "a detector is trained by detection"),
    ("objective={preset: flow-matching}", "a detector is trained by detection"),
    ("gradient_accumulation_steps=2", "detection has no micro-batches"),
  ])
  func unfitSettingsAreNamed(_ setting: String, _ expected: String) throws {
    let error = #expect(throws: (any Error).self) { try recipe(setting).validate() }
    #expect("\(error!)".contains(expected), "\(error!)")
  }
}
