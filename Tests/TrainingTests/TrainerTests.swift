import Pipelines
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

@Suite struct TrainerTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  @Test func resumedRunIsIdenticalToAnUninterruptedOne() throws {
    let engine = try SharedEngine.get()
    let whole = try Trainer(tinyRecipe(run("whole")), on: engine)
    #expect(try whole.run())

    let first = try Trainer(tinyRecipe(run("halves")), on: engine)
    #expect(try first.run(stopping: { first.step == 2 }) == false)
    let second = try Trainer(tinyRecipe(run("halves")), on: engine, start: .resumed)
    #expect(second.step == 2)
    #expect(try second.run())

    for file in ["checkpoints/step-000004/state.safetensors", "weights.safetensors"] {
      let expected = try SafeTensors(path: run("whole/\(file)"))
      let found = try SafeTensors(path: run("halves/\(file)"))
      #expect(expected.types == found.types)
      for name in expected.types.names {
        #expect(Array(expected.bytes(name)!) == Array(found.bytes(name)!), "\(file): \(name)")
      }
    }
    try expectEqualLogs([run("whole"), run("halves")], steps: [1, 2, 3, 4])
  }

  @Test(arguments: [
    "objective={preset: flow-matching}",
    "objective={preset: rcgm, groups: {any_step: 1}}",
    "objective={kind: tutorial}",
  ])
  func everyObjectiveLearns(objective: String) throws {
    let recipe = try tinyRecipe(
      run("learns"), objective, "steps=60", "batch=16", "optimizer.learning_rate=1e-2",
      "optimizer.decay=constant", "log_every=1000", "checkpoint_every=1000")
    let trainer = try Trainer(recipe, on: SharedEngine.get())
    let losses = try (0..<60).map { _ in try trainer.advance()["loss"]! }
    let (early, late) = (losses.prefix(10).reduce(0, +), losses.suffix(10).reduce(0, +))
    #expect(late < early, "\(losses)")
  }

  /// Each objective, on a batch whose groups two and three micro-batches can share.
  @Test(
    "Micro-batches train as the whole batch does",
    arguments: [
      "objective={preset: twinflow}", "objective={kind: tutorial}", "objective={preset: rcgm}",
    ], SlowTests.arguments([3], slow: [2]))
  func accumulation(objective: String, count: Int) throws {
    let results = try [1, count].map { count -> (losses: [Float], weights: [Float]) in
      let trainer = try Trainer(
        tinyRecipe(
          run("micro-\(count)"), objective, "batch=72", "optimizer.kind=sgd",
          "optimizer.betas=[0]", "optimizer.learning_rate=0.1",
          "gradient_accumulation_steps=\(count)"),
        on: SharedEngine.get(), start: .replacing)
      let losses = try (0..<3).map { _ in try trainer.advance()["loss"]! }
      return (losses, try trainer.weights().values.flatMap { try $0.array(of: Float.self) })
    }
    for (whole, parts) in zip(results[0].losses, results[1].losses) {
      #expect(abs(whole - parts) <= 2e-5 * abs(whole))
    }
    let change = zip(results[0].weights, results[1].weights).reduce(0) { $0 + abs($1.0 - $1.1) }
    let size = results[0].weights.reduce(0) { $0 + abs($1) }
    #expect(change <= 2e-5 * size)
  }

  @Test func overlappingStepsGiveTheSame() throws {
    // How long is for a benchmark; here is only whether it is measured, and that the results are equal.
    let results = try [false, true].map { overlaps in
      let trainer = try Trainer(
        tinyRecipe(run("overlapping-\(overlaps)")), on: SharedEngine.get(), start: .fresh,
        by: "train", overlapping: overlaps
      ) { _ in }
      #expect(try trainer.run())
      #expect((0...1).contains(try #require(trainer.waitingShare)))
      return try trainer.weights().values.flatMap { try $0.array(of: Float.self) }
    }
    #expect(results[0] == results[1])
  }

  @Test func progressIsReportedForEveryStepInOrder() throws {
    let trainer = try Trainer(tinyRecipe(run("progress")), on: SharedEngine.get())
    var steps: [Int] = []
    try trainer.run(progress: { steps.append($0.step) })
    #expect(steps == [1, 2, 3, 4])
  }

  @Test func halfPrecisionIsNearSingle() throws {
    let losses = try ["f32", "bf16"].map { precision in
      let trainer = try Trainer(
        tinyRecipe(run(precision), "precision=\(precision)", "objective={preset: flow-matching}"),
        on: SharedEngine.get())
      for (name, type) in trainer.stateTypes.pairs where type.dtype.isFloat {
        #expect(type.dtype == .float32, "\(name)")
      }
      return try (0..<4).map { _ in try trainer.advance()["loss"]! }
    }
    for (exact, half) in zip(losses[0], losses[1]) {
      #expect(abs(exact - half) < 0.02 * exact)
    }
    #expect(losses[0] != losses[1])
  }

  @Test func startsFromGivenWeights() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base"), "ema_decay=0"), on: engine).run()
    let base = try ModelFile(run("base/weights.safetensors"), on: engine)
    let next = try Trainer(
      tinyRecipe(run("next"), "start=\(base.path)", "ema_decay=0"), on: engine)
    for (name, buffer) in try next.weights().pairs {
      #expect(try buffer.bytes() == base.weights[name]!.bytes(), "\(name)")
    }
    #expect {
      try Trainer(
        tinyRecipe(run("other"), "start=\(base.path)", "model.width=32"), on: engine)
    } throws: { error in
      guard case TrainingError.otherModel = error else { return false }
      return true
    }
  }

  @Test func nanStopsAndKeepsTheLastCheckpoint() throws {
    let engine = try SharedEngine.get()
    let path = run("diverges")
    let good = try Trainer(tinyRecipe(path), on: engine)
    try good.run(stopping: { good.step == 2 })
    let before = try Data(contentsOf: URL(fileURLWithPath: newestState(path)))

    let recipe = try tinyRecipe(
      path, "optimizer={kind: sgd, learning_rate: 1e38}", "steps=8", "checkpoint_every=100")
    let bad = try Trainer(recipe, on: engine, start: .replacing)
    do {
      try bad.run()
      Issue.record("the run went on with losses that are not finite")
    } catch TrainingError.notFinite(let losses, let step, let checkpoint) {
      #expect(step > 1 && losses.contains { $0.hasPrefix("loss") })
      #expect(checkpoint == path + "/checkpoints/step-000002")
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: newestState(path))) == before)
  }

  @Test func rejectsOtherFoldersAndCheckpoints() throws {
    let engine = try SharedEngine.get()
    let path = run("run")
    #expect(throws: TrainingError.nothingToResume(path: path + "/checkpoints")) {
      try Trainer(tinyRecipe(path), on: engine, start: .resumed)
    }
    let trainer = try Trainer(tinyRecipe(path), on: engine)
    try trainer.run(stopping: { true })
    #expect(throws: TrainingError.wouldOverwrite(path: path + "/checkpoints/step-000001")) {
      try Trainer(tinyRecipe(path), on: engine)
    }
    #expect {
      try Trainer(tinyRecipe(path, "optimizer.learning_rate=1e-2"), on: engine, start: .resumed)
    } throws: { error in
      "\(error)".contains("its optimizer.learning_rate is 0.001, the recipe's 0.01")
    }
    // A longer run may go on from a shorter one.
    #expect(try Trainer(tinyRecipe(path, "steps=9"), on: engine, start: .resumed).step == 1)

    let file = run("file")
    try Data().write(to: URL(fileURLWithPath: file))
    #expect {
      try Trainer(tinyRecipe(file + "/below"), on: engine)
    } throws: { error in
      guard case FileError.unwritable = error else { return false }
      return true
    }
  }
}
