import Datasets
import Foundation
import TestSupport
import Testing

@testable import Training

/// The checkpoints that a run may resume from, and the messages about others.
@Suite struct CheckpointTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  /// Writes a set of pictures like Fashion-MNIST.
  private func pictures(_ name: String, value: UInt8, count: Int = 20) throws -> String {
    let path = run(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for part in ["train", "t10k"] {
      let images =
        [0, 0, 8, 3, 0, 0, 0, UInt8(count), 0, 0, 0, 28, 0, 0, 0, 28]
        + [UInt8](repeating: value, count: count * 784)
      let labels = [0, 0, 8, 1, 0, 0, 0, UInt8(count)] + (0..<count).map { UInt8($0 % 10) }
      for (file, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
        let file = "\(path)/\(part)-\(file)-ubyte"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let zip = try Process.run(URL(fileURLWithPath: "/bin/gzip"), arguments: ["-n", file])
        zip.waitUntilExit()
        try #require(zip.terminationStatus == 0)
      }
    }
    return path
  }

  private func expectDifference(
    _ hint: String, _ settings: String..., location: SourceLocation = #_sourceLocation
  ) throws {
    let engine = try SharedEngine.get()
    #expect(sourceLocation: location) {
      try Trainer(tinyRecipe(run("a"), settings), on: engine, start: .resumed)
    } throws: { error in
      guard case TrainingError.otherRun(_, let difference) = error else { return false }
      return difference.contains(hint)
    }
  }

  @Test func differencesAreNamedByTheirKeys() throws {
    try Trainer(tinyRecipe(run("a")), on: SharedEngine.get()).run()
    try expectDifference("its precision is f32, the recipe's bf16", "precision=bf16")
    try expectDifference("its ema_decay is 0.9, the recipe's 0.5", "ema_decay=0.5")
    try expectDifference(
      "its optimizer.max_grad_norm is 1, the recipe's 2", "optimizer.max_grad_norm=2")
    try expectDifference("its data.flip is", "data.flip=false")
    try expectDifference("its seed is 3, the recipe's 4", "seed=4")
    try expectDifference("its objective.groups.any_step is 1", "objective.groups.any_step=2")
    _ = try Trainer(
      tinyRecipe(run("a"), "log_every=7", "checkpoint_every=9"), on: SharedEngine.get(),
      start: .resumed)
  }

  /// The pictures matter, not their location.
  @Test func dataAreIdentifiedByTheirContent() throws {
    let engine = try SharedEngine.get()
    let first = try pictures("first", value: 7)
    try Trainer(tinyRecipe(run("a"), "data.path=\(first)"), on: engine).run()
    let moved = run("moved")
    try FileManager.default.moveItem(atPath: first, toPath: moved)
    #expect(
      try Trainer(tinyRecipe(run("a"), "data.path=\(moved)"), on: engine, start: .resumed).step == 4
    )
    _ = try pictures("first", value: 8)
    try expectDifference("other data", "data.path=\(first)")
  }

  /// A run is only continued where its result would be the same.
  @Test func continuedRunsAreIdentical() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base")), on: engine).run()
    let start = "start=\(run("base/weights.safetensors"))"
    func begin(_ settings: String...) throws -> (step: Int, notices: [String]) {
      var notices: [String] = []
      let trainer = try Trainer(
        tinyRecipe(run("a"), [start] + settings), on: engine, start: .continued
      ) { notices.append($0) }
      let step = trainer.step
      try trainer.run()
      return (step, notices)
    }
    #expect(try begin() == (0, []))
    #expect(try begin() == (4, []))
    for (settings, hint) in [("steps=3", "its steps is 4, the recipe's 3"), ("seed=9", "its seed")]
    {
      let again = try begin(settings)
      #expect(again.step == 0 && again.notices.count == 1)
      #expect(again.notices.first?.contains(hint) == true, "\(again.notices)")
    }
    #expect(try begin().step == 0)
    try Trainer(tinyRecipe(run("base"), "seed=8"), on: engine, start: .replacing).run()
    let again = try begin()
    #expect(again.step == 0 && again.notices.first?.contains("other weights") == true)
  }

  @Test func aChangedNumberOfStepsChangesTheRate() throws {
    let engine = try SharedEngine.get()
    let trainer = try Trainer(tinyRecipe(run("a"), "optimizer.warmup=0"), on: engine)
    try trainer.run(stopping: { trainer.step == 2 })
    var notices: [String] = []
    for steps in [4, 8] {
      _ = try Trainer(
        tinyRecipe(run("a"), "optimizer.warmup=0", "steps=\(steps)"), on: engine, start: .resumed
      ) { notices.append($0) }
    }
    // Half a cosine: at step 2 of 4 half the rate, of 8 (1 + √½) / 2 of it.
    #expect(notices.count == 1, "\(notices)")
    #expect(notices.first?.contains("8 steps instead of 4") == true)
    #expect(notices.first?.contains("at step 2 it is 0.000854 instead of 0.0005") == true)
  }
}
