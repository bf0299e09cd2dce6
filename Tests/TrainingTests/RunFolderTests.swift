import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct RunFolderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  private func write(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  @Test func oneRunAtATime() throws {
    let engine = try SharedEngine.get()
    let first = try Trainer(tinyRecipe(run("a")), on: engine)
    for start in [Trainer.Start.fresh, .replacing, .resumed, .continued] {
      #expect {
        try Trainer(tinyRecipe(run("a")), on: engine, start: start)
      } throws: { error in
        guard case FileError.locked(_, let holder) = error else { return false }
        return holder.contains("\(getpid())")
      }
    }
    try first.run()
    #expect(try Trainer(tinyRecipe(run("a")), on: engine, start: .resumed).step == 4)
  }

  /// Weights without a checkpoint are not replaced either.
  @Test(arguments: ["weights.safetensors", "log.jsonl"])
  func aFreshRunReplacesNothing(file: String) throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("b")), on: engine).run()
    try FileManager.default.removeItem(atPath: run("b/checkpoints"))
    if file == "log.jsonl" {
      try FileManager.default.removeItem(atPath: run("b/weights.safetensors"))
    }
    let starts: [Trainer.Start] = file == "log.jsonl" ? [.fresh] : [.fresh, .replacing, .continued]
    for start in starts {
      #expect(throws: TrainingError.otherFiles(path: run("b/\(file)"))) {
        try Trainer(tinyRecipe(run("b")), on: engine, start: start)
      }
    }
  }

  /// A demonstration or a comparison that was killed before the first checkpoint starts again.
  @Test(arguments: [Trainer.Start.replacing, .continued])
  func aLogAloneIsReplaced(start: Trainer.Start) throws {
    let engine = try SharedEngine.get()
    try FileManager.default.createDirectory(atPath: run("c"), withIntermediateDirectories: true)
    let line = Data("{\"step\": 3, \"loss\": 7}\n".utf8)
    try line.write(to: URL(fileURLWithPath: run("c/log.jsonl")))
    try Trainer(tinyRecipe(run("c"), "log_every=1"), on: engine, start: start).run()
    let log = try String(contentsOfFile: run("c/log.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == 4 && !log.contains("\"loss\": 7"))
  }

  @Test func theStartIsNotReplaced() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base")), on: engine).run()
    let start = run("base/weights.safetensors")
    for file in ["checkpoints", "log.jsonl"] {
      try FileManager.default.removeItem(atPath: run("base/\(file)"))
    }
    let before = try Data(contentsOf: URL(fileURLWithPath: start))
    try FileManager.default.createSymbolicLink(
      atPath: run("link"), withDestinationPath: run("base"))
    for output in ["base", "link", "base/../base"] {
      for start in [Trainer.Start.fresh, .replacing] {
        #expect {
          try Trainer(
            tinyRecipe(run(output), "start=\(run("base/weights.safetensors"))"), on: engine,
            start: start)
        } throws: { error in
          guard case FileError.replacesInput = error else { return false }
          return true
        }
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: start)) == before)
  }

  @Test func aRunOfAnotherCommandIsNotReplaced() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("c")), on: engine).run()
    #expect(
      throws: TrainingError.otherCommand(path: run("c"), found: "train", expected: "demo")
    ) {
      try Trainer(tinyRecipe(run("c")), on: engine, start: .replacing, by: "demo")
    }
  }

  /// Files that may not be the command's own are kept, including damaged ones.
  @Test func aDamagedOrForeignCheckpointIsNotReplaced() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("c")), on: engine, by: "demo").run()
    try FileManager.default.removeItem(atPath: RunCheckpoints(run: run("c")).all[1].path)
    let checkpoint = try newestState(run("c"))
    let whole = try Data(contentsOf: URL(fileURLWithPath: checkpoint))
    for damaged in [
      whole.dropLast(), try Data(contentsOf: URL(fileURLWithPath: run("c/weights.safetensors"))),
    ] {
      try damaged.write(to: URL(fileURLWithPath: checkpoint))
      for start in [Trainer.Start.replacing, .continued] {
        #expect(throws: (any Error).self) {
          try Trainer(tinyRecipe(run("c")), on: engine, start: start, by: "demo")
        }
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: checkpoint)) == damaged)
    }
  }

  /// A run that cannot start leaves nothing behind, the folders above its own included.
  @Test func aFailedStartLeavesNoFolder() throws {
    let engine = try SharedEngine.get()
    #expect(throws: (any Error).self) {
      try Trainer(tinyRecipe(run("x/y/z"), "start=\(run("none.safetensors"))"), on: engine)
    }
    #expect(throws: (any Error).self) {
      try Trainer(tinyRecipe(run("x/y/z")), on: engine, start: .resumed)
    }
    #expect(!FileManager.default.fileExists(atPath: run("x")))
  }

  @Test func aRunBeyondItsEndIsNotResumed() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("c")), on: engine).run()
    #expect(
      throws: TrainingError.beyondTheEnd(
        path: run("c/checkpoints/step-000004"), step: 4, steps: 3)
    ) { try Trainer(tinyRecipe(run("c"), "steps=3"), on: engine, start: .resumed) }
  }

  @Test func goodLinesOfALogAreKeptAndBadOnesCounted() throws {
    let path = run("d")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    var log = Data("{\"step\": 1, \"loss\": 1}\nno JSON\n{\"step\": 2}\n{\"loss\": 4}\n".utf8)
    log += Data([0xFF]) + Data("{\"step\": 3}\n{\"step\": 4}\n{\"step\": 9}\n{\"st".utf8)
    try log.write(to: URL(fileURLWithPath: path + "/log.jsonl"))
    var notices: [String] = []
    _ = try RunFolder(path, isFirst: true).openLog(after: 5) { notices.append($0) }
    #expect(
      try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8)
        == "{\"step\": 1, \"loss\": 1}\n{\"step\": 2}\n{\"step\": 4}\n")
    #expect(notices.count == 1 && notices[0].hasPrefix("4 lines of \(path)/log.jsonl"))
  }

  @Test(arguments: [0, 3, 9]) func anInvalidByteDropsOneLine(place: Int) throws {
    let path = run("byte\(place)")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    var log = Array("{\"step\": 1}\n{\"step\": 2}\n".utf8)
    log[place] = 0xFF
    try Data(log).write(to: URL(fileURLWithPath: path + "/log.jsonl"))
    var notices: [String] = []
    _ = try RunFolder(path, isFirst: true).openLog(after: 5) { notices.append($0) }
    #expect(try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8) == "{\"step\": 2}\n")
    #expect(notices.count == 1 && notices[0].hasPrefix("1 line of"))
  }

  /// A log without one good line, beside the run's checkpoint.
  @Test(arguments: ["\u{FFFD}", "no JSON at all\n", "\0\0\0\0"])
  func aLogOfOnlyBadLinesIsReplaced(content: String) throws {
    let engine = try SharedEngine.get()
    let first = try Trainer(tinyRecipe(run("g")), on: engine)
    try first.run(stopping: { first.step == 2 })
    var bytes = Data(content.utf8)
    if content == "\u{FFFD}" { bytes = Data([0x7B, 0xFF, 0x0A]) }
    try bytes.write(to: URL(fileURLWithPath: run("g/log.jsonl")))
    var notices: [String] = []
    try Trainer(tinyRecipe(run("g")), on: engine, start: .resumed) { notices.append($0) }.run()
    let log = try String(contentsOfFile: run("g/log.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == 2 && log.hasPrefix("{\"step\": 3"))
    #expect(notices.contains { $0.hasPrefix("1 line of") }, "\(notices)")
  }

  @Test func anUnreadableLogIsAnError() throws {
    let path = run("e")
    try FileManager.default.createDirectory(
      atPath: path + "/log.jsonl", withIntermediateDirectories: true)
    #expect(throws: FileError.self) {
      try RunFolder(path, isFirst: true).openLog(after: 5) { _ in }
    }
  }

  /// A full disk: the run continues, with one message.
  @Test func anUnwritableLogIsReportedOnce() throws {
    var notices: [String] = []
    let log = try MetricsLog("/dev/full") { notices.append($0) }
    for step in 1...3 { log.write(step, Named([("loss", 1)])) }
    #expect(notices.count == 1 && notices[0].contains("No space left"))
  }

  @Test func partialFilesOfKilledRunsAreDeleted() throws {
    let path = run("f")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try write("half", path + "/.twinflow-0123456789abcdef.partial")
    try write("mine", path + "/notes.partial")
    let half = "\(path)/checkpoints/.twinflow-\(UUID().uuidString.lowercased()).partial"
    try FileManager.default.createDirectory(atPath: half, withIntermediateDirectories: true)
    try write("half", half + "/state.safetensors")
    try Trainer(tinyRecipe(path), on: SharedEngine.get()).run()
    #expect(!FileManager.default.fileExists(atPath: half))
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(
      names == ["checkpoints", "log.jsonl", "notes.partial", "weights.safetensors"])
  }
}
