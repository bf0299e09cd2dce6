import Foundation
import Testing

/// Several processes as users start them.
@Suite struct ProcessesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func place(_ rank: Int, of count: Int) -> [String: String] {
    [
      "TWINFLOW_PROCESS": "\(rank)", "TWINFLOW_PROCESSES": "\(count)",
      "TWINFLOW_STORE": folder.path, "TWINFLOW_RUN": "test",
    ]
  }

  @Test func launchedProcessesMeet() throws {
    let result = try Command.run(
      "launch", "--processes", "3", "check-processes", "--seconds", "0.2")
    #expect(result.status == 0, "\(result.errors)")
    for rank in 0..<3 {
      #expect(result.output.contains("[\(rank)] Process \(rank) of 3 met the others"))
    }
  }

  @Test func aFailureStopsAll() throws {
    let result = try Command.run(
      "launch", "--processes", "2", "train", "Recipes/points.yaml", "--set",
      "output=\(folder.path)/run")
    #expect(result.status == 1)
    #expect(result.errors.contains("cannot combine the devices of 2 processes"))
    #expect(result.errors.contains("has failed; the others were stopped"))
  }

  @Test func missingProcessesAreNamed() throws {
    let result = try Command.run(
      "check-processes", "--wait", "0.5", environment: place(0, of: 3))
    #expect(result.status != 0 && result.output.isEmpty)
    #expect(result.errors.contains("Processes 1, 2 of 3 did not reach the start"))
  }

  @Test func aDyingProcessEndsTheOthers() throws {
    let runs = try (0..<3).map {
      try Command.start(
        ["check-processes", "--seconds", "600", "--silence", "1.5"], environment: place($0, of: 3))
    }
    // All have met when each has given a sign.
    let store = folder.path + "/test"
    for _ in 0..<200 {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: store)) ?? []
      if files.contains(where: { $0.contains("meeting%2Fa%20check%2F3") }) { break }
      Thread.sleep(forTimeInterval: 0.05)
    }
    kill(runs[1].process.processIdentifier, SIGKILL)
    let start = ContinuousClock.now
    for rank in [0, 2] {
      let result = runs[rank].finish()
      #expect(result.status != 0)
      #expect(result.errors.contains("Process 1 has sent no heartbeat"), "\(result.errors)")
      #expect(result.errors.contains("--resume"))
    }
    #expect(ContinuousClock.now - start < .seconds(60))
    _ = runs[1].finish()
  }

  @Test func anUnreachableStoreIsNamed() throws {
    let environment = place(0, of: 2).merging(["TWINFLOW_STORE": "redis://127.0.0.1:1"]) { $1 }
    let result = try Command.run("check-processes", environment: environment)
    #expect(result.status != 0)
    #expect(result.errors.contains("redis://127.0.0.1:1"))
    #expect(result.errors.contains("cannot be reached"))
  }

  @Test func aWrongPlaceIsNamed() throws {
    let result = try Command.run(
      "train", "Recipes/points.yaml", environment: ["RANK": "9", "WORLD_SIZE": "4"])
    #expect(result.status != 0 && result.errors.contains("from 0 to 3"))
  }

  @Test func anUnsuitableMeshIsRejected() throws {
    let recipe = ["train", "Recipes/points.yaml", "--set", "output=\(folder.path)/run"]
    func run(_ more: String...) throws -> Command.Result {
      try Command.start(recipe + more).finish()
    }
    let many = try run("--set", "mesh={fsdp: 4}")
    #expect(many.status != 0 && many.errors.contains("needs 4 devices and there is 1 device"))
    #expect(many.errors.contains("--devices 4"))
    let odd = try run("--set", "mesh={fsdp: 3}", "--devices", "3", "--set", "batch=513")
    #expect(odd.status != 0 && odd.errors.contains("(embed, 128) of the weight"))
    let gpu = try run("--device", "cuda")
    #expect(gpu.status != 0)
  }
}
