import Foundation
import Testing

/// The files that a launcher leaves, however it ends.
@Suite struct LaunchTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func launch(
    _ arguments: String...
  ) throws -> (process: Process, finish: () -> Command.Result) {
    try Command.start(
      ["launch", "--processes", "2"] + arguments, environment: ["TMPDIR": folder.path])
  }

  /// The processes that a process has started.
  private func children(of parent: Int32) -> [Int32] {
    let path = "/proc/\(parent)/task/\(parent)/children"
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: " ").compactMap { Int32($0) }
  }

  /// Waits for something for a minute.
  private func wait(for condition: () -> Bool) -> Bool {
    for _ in 0..<1200 {
      if condition() { return true }
      Thread.sleep(forTimeInterval: 0.05)
    }
    return false
  }

  /// Starts two processes that meet for long, and waits until those of so many launchers do.
  private func meeting(_ count: Int = 1) throws -> (process: Process, finish: () -> Command.Result)
  {
    let launched = try launch("check-processes", "--seconds", "100000")
    let met = wait {
      let files = FileManager.default.enumerator(atPath: folder.path)?.allObjects ?? []
      // The first process has come to the third meeting of each launcher's.
      let stores = Set(files.map { "\($0)" }.filter { $0.contains("meeting%2Fa%20check%2F3%2F0") })
      return stores.count == count
    }
    #expect(met)
    return launched
  }

  private func isGone(_ process: Int32) -> Bool { kill(process, 0) == -1 && errno == ESRCH }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
  func signalsArePassedOn(number: Int32) throws {
    let (process, finish) = try meeting()
    let started = children(of: process.processIdentifier)
    #expect(started.count == 2)
    kill(process.processIdentifier, number)
    let result = finish()
    #expect(result.status == 0 && process.terminationReason == .exit, "\(result.errors)")
    #expect(result.output.contains("[0] Process 0 of 2 met the others"))
    #expect(result.output.contains("[1] Process 1 of 2 met the others"))
    #expect(started.allSatisfy(isGone))
    #expect(folder.contents.isEmpty)
  }

  @Test func processesStopWhenTheLauncherIsKilled() throws {
    let (process, finish) = try meeting()
    let started = children(of: process.processIdentifier)
    kill(process.processIdentifier, SIGKILL)
    _ = finish()
    #expect(wait { started.allSatisfy(isGone) })
    #expect(folder.contents.isEmpty)
  }

  @Test func theNextLauncherRemovesStoresOfKilledOnes() throws {
    let other = try meeting()
    let inUse = folder.contents
    #expect(inUse.count == 1)
    let (process, finish) = try meeting(2)
    let started = children(of: process.processIdentifier)
    #expect(started.count == 2)
    kill(process.processIdentifier, SIGSTOP)
    for number in started + [process.processIdentifier] { kill(number, SIGKILL) }
    _ = finish()
    #expect(wait { started.allSatisfy(isGone) })
    #expect(folder.contents.count == 2)
    // What only looks like a store is not the launcher's.
    let strangers = ["twinflow-launch-mine", "twinflow-launch-\(UUID().uuidString.lowercased())"]
    for name in strangers {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: false)
    }
    let result = try launch("recipe", "show", "rcgm").finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.contents == (inUse + strangers).sorted())
    kill(other.process.processIdentifier, SIGTERM)
    #expect(other.finish().status == 0)
    #expect(folder.contents == strangers.sorted())
  }

  @Test func aNamedStoreIsKept() throws {
    let store = folder.path + "/store"
    let result = try launch("--store", store, "check-processes", "--seconds", "0.1").finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.contents == ["store"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: store).count == 1)
  }

  @Test func processesAreStartedAllOrNone() throws {
    let (_, finish) = try Command.start(
      [
        "-c", "ulimit -n 40 && exec \"$@\"", "sh", Command.program, "launch", "--processes", "30",
        "check-processes",
      ], environment: ["TMPDIR": folder.path], program: "/bin/sh")
    let result = finish()
    #expect(result.status == 1)
    #expect(result.errors.contains("30 processes need 304 open files and 40 are allowed"))
    #expect(folder.contents.isEmpty)
  }
}
