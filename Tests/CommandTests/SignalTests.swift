import Foundation
import Testing

/// Signals that ask a run to end, and readers that go away.
@Suite struct SignalTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var run: String { folder.path + "/run" }

  private var saved: [String] { RunFiles.names(in: run) }

  private func training(steps: Int) -> [String] {
    [
      "train", "Recipes/points.yaml", "--set", "output=\(run)", "--set", "steps=\(steps)",
      "--set", "log_every=1",
    ]
  }

  /// Waits until a training has made a step.
  private func waitForStep() {
    for _ in 0..<1200 {
      let log = FileManager.default.contents(atPath: run + "/log.jsonl")
      if log?.isEmpty == false { return }
      Thread.sleep(forTimeInterval: 0.05)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU])
  func aSignalSavesAndStops(number: Int32) throws {
    let (process, finish) = try Command.start(training(steps: 1_000_000))
    waitForStep()
    kill(process.processIdentifier, number)
    let result = finish()
    #expect(result.status == 128 + number, "\(result.errors)")
    #expect(process.terminationReason == .exit)
    #expect(result.output.contains("of 1000000; --resume continues"), "\(result.output)")
    #expect(result.errors.contains("Stopping after this step"))
    #expect(saved == RunFiles.whole)
  }

  @Test func furtherSignalsDoNotInterruptSaving() throws {
    let (process, finish) = try Command.start(training(steps: 1_000_000))
    waitForStep()
    for number in [SIGUSR1, SIGTERM, SIGHUP, SIGTERM, SIGINT, SIGXCPU] {
      kill(process.processIdentifier, number)
    }
    let result = finish()
    #expect((129...192).contains(result.status), "\(result.errors)")
    #expect(process.terminationReason == .exit)
    #expect(saved == RunFiles.whole)
  }

  @Test func aWaitForOthersEnds() throws {
    let (process, finish) = try Command.start(
      ["check-processes", "--wait", "1000000"],
      environment: [
        "TWINFLOW_PROCESS": "0", "TWINFLOW_PROCESSES": "2", "TWINFLOW_STORE": folder.path,
      ])
    for _ in 0..<200 where folder.contents.isEmpty { Thread.sleep(forTimeInterval: 0.05) }
    kill(process.processIdentifier, SIGINT)
    let result = finish()
    #expect(result.status == 1)
    #expect(result.errors.contains("press again to end immediately"))
    #expect(result.errors.contains("stopped while it waited for the others at the start"))
  }

  @Test func aTrainingEndsAtTheSecondCtrlC() throws {
    // A step that takes a second: the second Ctrl-C comes before the first one is looked at.
    let (process, finish) = try Command.start(
      training(steps: 1_000_000) + ["--set", "batch=30000"])
    for _ in 0..<1200 where !folder.contents.contains("run") { Thread.sleep(forTimeInterval: 0.05) }
    for _ in 0..<100 where process.isRunning {
      kill(process.processIdentifier, SIGINT)
      Thread.sleep(forTimeInterval: 0.05)
    }
    #expect(finish().status == 130)
  }

  @Test func anIgnoredHangUpStaysIgnored() throws {
    let (process, finish) = try Command.start(
      ["-c", "trap '' HUP; exec \"$@\"", "sh", Command.program] + training(steps: 300),
      program: "/bin/sh")
    waitForStep()
    kill(process.processIdentifier, SIGHUP)
    let result = finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(!result.errors.contains("Stopping") && result.output.contains("The weights are in"))
    #expect(!result.output.contains("Stopped after"))
  }

  @Test func aClosedPipeDoesNotEndTheRun() throws {
    let script = """
      ( "$@" 2>&1; echo $? > "$STATUS" ) | true
      """
    let status = folder.path + "/status"
    _ = try Command.start(
      ["-c", script, "sh", Command.program] + training(steps: 3),
      environment: ["STATUS": status], program: "/bin/sh"
    ).finish()
    // The shell does not wait for what is before the last command of a pipe.
    for _ in 0..<1200 where !FileManager.default.fileExists(atPath: status) {
      Thread.sleep(forTimeInterval: 0.05)
    }
    Thread.sleep(forTimeInterval: 0.1)
    #expect(try String(contentsOfFile: status, encoding: .utf8) == "0\n")
    #expect(saved == RunFiles.whole)
  }
}
