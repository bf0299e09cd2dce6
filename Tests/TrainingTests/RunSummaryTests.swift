import Files
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite struct RunSummaryTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func trainer(
    _ name: String, _ start: Trainer.Start = .fresh, _ settings: String...
  ) throws -> Trainer {
    let recipe = try tinyRecipe("\(folder.path)/\(name)", settings)
    let trainer = try Trainer(recipe, on: SharedEngine.get(), start: start)
    trainer.observers = [RunRecorder { Issue.record("\($0)") }]
    return trainer
  }

  private func summary(_ name: String) throws -> RunSummary {
    try RunSummary(of: "\(folder.path)/\(name)")
  }

  @Test func aRunIsRunningThenStoppedThenFinished() throws {
    let first = try trainer("run")
    guard case .running(let holder) = try summary("run").state else {
      Issue.record("a run whose folder is locked is not running")
      return
    }
    #expect(holder.contains("process \(getpid())"))
    #expect(try !first.run(stopping: { first.step == 2 }))
    let stopped = try summary("run")
    #expect(stopped.state == .stopped && stopped.step == 2 && stopped.steps == 4)
    let seconds = try #require(stopped.record?.seconds)
    #expect(seconds > 0)

    #expect(try trainer("run", .resumed).run())
    let finished = try summary("run")
    #expect(finished.state == .finished && finished.step == 4)
    #expect(finished.loss != nil)
    let record = try #require(finished.record)
    #expect(record.seconds > seconds && record.started == stopped.record?.started)
    #expect(record.facts.parameters == record.facts.trained && record.facts.parameters > 0)
    #expect(try #require(record.facts.flops) > 0 && #require(record.facts.peak) > 1e8)
    #expect(record.recipe.contains("kind: twinflow"))
  }

  @Test func aKilledRunIsToldFromAStoppedOne() throws {
    let first = try trainer("run")
    #expect(try !first.run(stopping: { first.step == 2 }))
    var record = try RunRecord(of: "\(folder.path)/run")
    record.state = .running
    try record.write(to: "\(folder.path)/run")
    #expect(try summary("run").state == .killed)
  }

  @Test func anErrorThatEndsARunIsRecorded() throws {
    let bad = try trainer(
      "run", .fresh, "optimizer={kind: sgd, learning_rate: 1e38}", "steps=8",
      "checkpoint_every=100")
    #expect(throws: TrainingError.self) { try bad.run() }
    guard case .failed(let problem) = try summary("run").state else {
      Issue.record("a run that diverged has not failed")
      return
    }
    #expect(problem.contains("not finite"))
  }

  @Test(arguments: ["run.json", "state.safetensors"])
  func aDamagedFileIsNamed(file: String) throws {
    #expect(try trainer("run").run())
    let run = "\(folder.path)/run"
    let checkpoints = RunCheckpoints(run: run).all.map(\.state)
    #expect(!checkpoints.isEmpty)
    for path in file == "run.json" ? ["\(run)/run.json"] : checkpoints { truncate(path, 40) }
    guard case .damaged(let problem) = try summary("run").state else {
      Issue.record("a run whose \(file) is truncated is not damaged")
      return
    }
    #expect(problem.contains(file == "run.json" ? file : "step-000004"), "\(problem)")
  }

  @Test func runsAreFoundInFoldersAndWithoutARecord() throws {
    #expect(try trainer("b/inner").run())
    let plain = try Trainer(tinyRecipe(folder.path + "/a"), on: SharedEngine.get())
    #expect(try plain.run())
    let found = RunSummary.folders(in: folder.path)
    #expect(found == ["a", "b/inner"].map { "\(folder.path)/\($0)" })
    let summary = try summary("a")
    #expect(summary.record == nil && summary.state == .finished && summary.steps == 4)
  }

  @Test func linesOfALogThatCannotBeReadAreCounted() throws {
    let text = """
      {"step": 1, "loss": 2.5, "twin": 1}
      {"step": 2, "lo
      {"step": 3, "loss": 1.5}
      {"step": 3, "fid/1": 40}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/log.jsonl"))
    let log = try RunLog(of: folder.path)
    #expect(log.damaged == 1 && log.lastStep == 3)
    #expect(log["loss"]?.steps == [1, 3] && log["loss"]?.values == [2.5, 1.5])
    #expect(log["fid/1"]?.steps == [3])
    #expect(log["none"] == nil)
  }
}
