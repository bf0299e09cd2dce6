import Foundation
import TestSupport
import Testing
import Weights

@testable import Training

/// Which checkpoints a run keeps, and from which it goes on.
@Suite struct CheckpointFolderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  private func steps(_ name: String) -> [Int] {
    RunCheckpoints(run: run(name)).all.map(\.step)
  }

  @Test(arguments: [
    (CheckpointRetention(last: 1), [9]),
    (CheckpointRetention(last: 3), [9, 8, 6]),
    (CheckpointRetention(last: 1, every: 4), [9, 8, 4]),
    (CheckpointRetention(last: 1, best: "loss"), [9, 4]),
    (CheckpointRetention(last: 1, best: "distance"), [9, 6]),
    (CheckpointRetention(last: 1, best: "retrieval_top_1/held-out/1_step"), [9, 6]),
    (CheckpointRetention(last: 1, every: 5, best: "unknown"), [9]),
    (CheckpointRetention(last: 9, every: 2, best: "loss"), [9, 8, 6, 4, 2]),
  ])
  func kept(retention: CheckpointRetention, steps: [Int]) {
    let kept = retention.kept([
      (9, ["loss": 0.4]), (8, ["loss": 0.2]),
      (6, ["loss": 0.3, "distance": 5, "retrieval_top_1/held-out/1_step": 0.5]),
      (4, ["loss": 0.1, "distance": 5, "retrieval_top_1/held-out/1_step": 0.25]),
      (2, ["loss": 0.1, "distance": 7]),
    ])
    #expect(kept == Set(steps))
  }

  @Test(arguments: [
    ([], [6, 5]), (["keep_last=1"], [6]), (["keep_last=2", "keep_every=3"], [6, 5, 3]),
    (["keep_last=10"], [6, 5, 4, 3, 2, 1]),
  ])
  func aRunKeepsWhatItsRecipeSays(settings: [String], left: [Int]) throws {
    let recipe = try tinyRecipe(run("a"), ["steps=6", "checkpoint_every=1"] + settings)
    try Trainer(recipe, on: SharedEngine.get()).run()
    #expect(steps("a") == left)
  }

  @Test func theBestByAMetricIsKept() throws {
    let recipe = try tinyRecipe(
      run("a"), "steps=8", "checkpoint_every=2", "keep_last=1", "keep_best=loss")
    try Trainer(recipe, on: SharedEngine.get()).run()
    let all = try tinyRecipe(run("b"), "steps=8", "checkpoint_every=2", "keep_last=4")
    try Trainer(all, on: SharedEngine.get()).run()
    let losses = RunCheckpoints(run: run("b")).all.map { ($0.step, $0.manifest!.metrics["loss"]!) }
    let best = losses.min { ($0.1, -$0.0) < ($1.1, -$1.0) }!.0
    #expect(steps("a") == (best == 8 ? [8] : [8, best]))
    // The mean of two steps, as the log has them.
    let log = try String(contentsOfFile: run("b/log.jsonl"), encoding: .utf8)
    let logged = try log.split(separator: "\n").prefix(2).map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
    }.compactMap { ($0?["loss"] as? NSNumber)?.doubleValue }
    #expect(logged.count == 2)
    #expect(abs(logged.reduce(0, +) / 2 - losses.last!.1) < 1e-6)

    let unknown = try tinyRecipe(run("c"), "keep_best=lost")
    #expect {
      try Trainer(unknown, on: SharedEngine.get()).run()
    } throws: { "\($0)".contains("keep_best") && "\($0)".contains("gradient_norm, ") }
    #expect(steps("c") == [], "it is said before the first step")
  }

  /// Ways in which the newest checkpoint can be damaged.
  enum Damage: String, CaseIterable {
    case truncated, emptied, header, data, state, manifest, weights

    /// Damages a checkpoint.
    func apply(to checkpoint: String) throws {
      let state = checkpoint + "/state.safetensors"
      func flip(_ place: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: state))
        bytes[place < 0 ? bytes.count + place : place] ^= 0x10
        try bytes.write(to: URL(fileURLWithPath: state))
      }
      switch self {
      case .truncated:
        let bytes = try Data(contentsOf: URL(fileURLWithPath: state))
        try bytes.dropLast(100).write(to: URL(fileURLWithPath: state))
      case .emptied: try Data().write(to: URL(fileURLWithPath: state))
      case .header: try flip(20)
      case .data: try flip(-1)
      case .state: try FileManager.default.removeItem(atPath: state)
      case .manifest: try FileManager.default.removeItem(atPath: checkpoint + "/checkpoint.json")
      case .weights: try FileManager.default.removeItem(atPath: checkpoint + "/weights.safetensors")
      }
    }
  }

  @Test(arguments: Damage.allCases) func aDamagedNewestCheckpointIsPassedOver(damage: Damage) throws
  {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("whole"), "steps=6"), on: engine).run()
    try Trainer(tinyRecipe(run("broken"), "steps=6"), on: engine).run(stopping: { false })
    #expect(steps("broken") == [6, 4])
    try damage.apply(to: run("broken/checkpoints/step-000006"))
    var notices: [String] = []
    let resumed = try Trainer(
      tinyRecipe(run("broken"), "steps=6"), on: engine, start: .resumed
    ) { notices.append($0) }
    #expect(resumed.step == 4)
    let notice = try #require(notices.first { $0.contains("is damaged") })
    #expect(notice.contains("step-000006 is damaged (") && notice.hasSuffix("goes on from step 4."))
    try resumed.run()
    for file in [stateFile(run("whole"), step: 6), run("whole/weights.safetensors")] {
      let own = file.replacingOccurrences(of: "/whole/", with: "/broken/")
      let pair = try [file, own].map { try SafeTensorsContent($0) }
      #expect(pair[0] == pair[1], "\(file)")
    }
    #expect(steps("broken") == [6, 4])
  }

  @Test func whereNoneIsWholeTheNewestIsNamed() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("a")), on: engine).run()
    for step in [2, 4] {
      try Damage.truncated.apply(
        to: "\(run("a"))/checkpoints/\(RunCheckpoints.name(of: step))")
    }
    #expect {
      try Trainer(tinyRecipe(run("a")), on: engine, start: .resumed)
    } throws: {
      "\($0)".contains("step-000004 is damaged") && "\($0)".contains("No other checkpoint")
    }
  }

  /// Earlier versions had one file for the state.
  @Test func aCheckpointOfAnEarlierVersionIsResumed() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("whole")), on: engine).run()
    let first = try Trainer(tinyRecipe(run("old")), on: engine)
    try first.run(stopping: { first.step == 2 })
    let old = run("old/checkpoint.safetensors")
    try FileManager.default.moveItem(atPath: stateFile(run("old"), step: 2), toPath: old)
    try FileManager.default.removeItem(atPath: run("old/checkpoints"))
    #expect(throws: TrainingError.wouldOverwrite(path: old)) {
      try Trainer(tinyRecipe(run("old")), on: engine)
    }
    let resumed = try Trainer(
      tinyRecipe(run("old"), "keep_last=1"), on: engine, start: .resumed)
    #expect(resumed.step == 2)
    try resumed.run()
    #expect(
      try SafeTensorsContent(stateFile(run("old"), step: 4))
        == SafeTensorsContent(stateFile(run("whole"), step: 4)))
    #expect(!FileManager.default.fileExists(atPath: old))
  }

  @Test func theCheckpointsOfAReplacedRunAreDeleted() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("a"), "steps=8", "keep_last=9"), on: engine).run()
    #expect(steps("a") == [8, 6, 4, 2])
    let next = try Trainer(
      tinyRecipe(run("a"), "steps=3", "checkpoint_every=3", "keep_last=9"), on: engine,
      start: .replacing)
    #expect(steps("a") == [8, 6, 4, 2])
    try next.run()
    #expect(steps("a") == [3])
  }

  @Test func aRunThatIsStoppedBeforeItsFirstStepLeavesNothing() throws {
    let error = #expect(throws: TrainingError.self) {
      try Trainer(tinyRecipe(run("a")), on: SharedEngine.get(), stopping: { true })
    }
    #expect(error == .stopped(before: "the first step"))
    #expect(!FileManager.default.fileExists(atPath: run("a")))
  }
}

/// The arrays of a file with their bytes.
private struct SafeTensorsContent: Equatable {
  let arrays: [String: [UInt8]]

  init(_ path: String) throws {
    let file = try SafeTensors(path: path)
    arrays = withExtendedLifetime(file) {
      Dictionary(uniqueKeysWithValues: file.types.names.map { ($0, Array(file.bytes($0)!)) })
    }
  }
}
