import Pipelines
import Runtime
import Datasets
import Evaluation
import Foundation
import Recipe
import TestSupport
import Testing
import Weights

@testable import Training

/// A distillation with three networks goes through the trainer like any other method.
@Suite struct DistributionMatchingTests {
  private let folder = NSTemporaryDirectory() + "matching-\(UUID().uuidString)"

  private func recipe(_ settings: String...) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: perceptron, width: 64, depth: 3}
      objective: {preset: flow-matching}
      data: {kind: eight-gaussians}
      optimizer: {kind: adam, learning_rate: 2e-3, warmup: 20, decay: cosine, max_grad_norm: 1}
      batch: 256
      steps: 500
      ema_decay: 0.98
      output: \(folder)/base
      log_every: 1000
      checkpoint_every: 1000
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "points", settings: settings.map { try RecipeSetting($0) })
  }

  private func distance(_ path: String, _ engine: Engine) throws -> Double {
    let file = try ModelFile(path, on: engine)
    let generator = try Generator(file, batch: 2000, on: engine)
    let made = try generator([Prompt](repeating: "", count: 2000), .preset(1), seed: 1)
    return SlicedWasserstein.distance(
      try made.array(of: Float.self), Points.eightGaussians.sample(2000, seed: 99))
  }

  @Test(
    arguments: SlowTests.arguments(
      [("{kind: distribution-matching, interval: 2}", 5e-4)], slow: [("{preset: twin-dmd}", 1e-3)]))
  func learnsToGenerateInOneStep(objective: String, learningRate: Double) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try Engine()
    try Trainer(recipe(), on: engine).run()
    let base = folder + "/base/weights.safetensors"
    let matching = try recipe(
      "objective=\(objective)", "start=\(base)", "steps=600",
      "output=\(folder)/run", "optimizer.learning_rate=\(learningRate)",
      "optimizer.max_grad_norm=10")
    let trainer = try Trainer(matching, on: engine)
    try trainer.run()
    let (before, after) = (
      try distance(base, engine), try distance(folder + "/run/weights.safetensors", engine)
    )
    #expect(after < 0.4 * before, "\(before) to \(after)")
  }

  @Test func eachNetworkIsUpdatedAtItsInterval() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try Engine()
    try Trainer(recipe("steps=3", "batch=16"), on: engine).run()
    let matching = try recipe(
      "objective={kind: distribution-matching, interval: 3}",
      "start=\(folder)/base/weights.safetensors", "steps=7", "batch=16", "output=\(folder)/run")
    let trainer = try Trainer(matching, on: engine)
    let names = ["weights", "auxiliary.fake.weights", "auxiliary.teacher.weights"]
    func state() throws -> [[UInt8]] {
      try trainer.save()
      let name = String(format: "step-%06d", trainer.step)
      let file = try SafeTensors(path: "\(folder)/run/checkpoints/\(name)/state.safetensors")
      return withExtendedLifetime(file.owner) {
        names.map { Array(file.bytes($0 + ".output.weight")!) }
      }
    }
    var last = try state()
    #expect(last[0] == last[1] && last[1] == last[2])
    for step in 0..<6 {
      let metrics = try trainer.advance()
      let now = try state()
      // At first both networks say the same of the generator's samples, and the rate is 0.
      if step > 0 {
        #expect((now[0] != last[0]) == (step % 3 == 0), "the generator at step \(step)")
        #expect(now[1] != last[1], "the network of the fakes at step \(step)")
      }
      #expect(now[2] == last[2], "the teacher at step \(step)")
      #expect((metrics["gradient_norm"] != nil) == (step % 3 == 0))
      last = now
    }
    // The whole state comes back.
    try trainer.save()
    trainer.close()
    let resumed = try Trainer(matching, on: engine, start: .resumed)
    #expect(try resumed.advance().names == trainer.advance().names)
  }

  /// The log has the newest figures of the generator, whose steps are not those that are logged.
  @Test func theLogHasEveryNetworksFigures() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try Engine()
    try Trainer(recipe("steps=3", "batch=16"), on: engine).run()
    try Trainer(
      recipe(
        "objective={kind: distribution-matching, interval: 2}", "log_every=2", "steps=6",
        "start=\(folder)/base/weights.safetensors", "batch=16", "output=\(folder)/run"),
      on: engine
    ).run()
    let log = try String(contentsOfFile: folder + "/run/log.jsonl", encoding: .utf8)
    let lines = log.split(separator: "\n").filter { $0.contains("\"step\"") }
    #expect(lines.count >= 3)
    for line in lines { #expect(line.contains("gradient_norm"), "\(line)") }
  }

  @Test func aTeacherIsNeeded() {
    #expect {
      try recipe("objective={kind: distribution-matching}")
    } throws: { "\($0)".contains("start") }
  }
}
