import Foundation
import PJRT
import Synchronization
import Testing

@testable import Processes

/// Numbers and names that come from outside.
@Suite struct OutsideNumbersTests {
  private let folder = TemporaryFolder()

  @Test(arguments: [
    ("redis://h", "h", 6379, ""), ("redis://h:1", "h", 1, ""), ("redis://h:65535/", "h", 65535, ""),
    ("redis://h:80/a/b/", "h", 80, "a/b"), ("redis://[::1]:7", "::1", 7, ""),
    ("redis://[::1]", "::1", 6379, ""),
  ])
  func serversAreRead(name: String, host: String, port: Int, prefix: String) throws {
    #expect(try StoreName(name) == .redis(host: host, port: port, prefix: prefix))
  }

  @Test(arguments: [
    ("redis://h:0", "the port is \"0\""), ("redis://h:65536", "the port is \"65536\""),
    ("redis://h:99999999999999999999", "the port is"), ("redis://h:-1", "the port is \"-1\""),
    ("redis://h:+1", "the port is \"+1\""), ("redis://h:", "the port is \"\""),
    ("redis://h:1:2", "the port is \"1:2\""), ("redis://", "the host is missing"),
    ("redis://:6379", "the host is missing"), ("redis:///x", "the host is missing"),
    ("redis://u:p@h", "a user and a password"), ("redis://h/x?db=1", "nothing may follow"),
    ("redis://h#1", "nothing may follow"), ("redis://[::1]x", "is not a port"),
  ])
  func wrongServersAreNamed(name: String, reason: String) {
    let error = #expect(throws: ProcessesError.self) { try StoreName(name) }
    #expect(error?.description.hasPrefix("\(name) is not a store: ") == true)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test func otherNamesAreFolders() throws {
    #expect(try StoreName("a/b") == .folder("a/b"))
    let home = ProcessInfo.processInfo.environment["HOME"] ?? NSHomeDirectory()
    #expect(try StoreName("~/a") == .folder(home + "/a"))
    #expect(throws: ProcessesError.unknownStore("http://h")) { try StoreName("http://h") }
  }

  @Test(arguments: [0, -1, 65536, Int.max, Int.min])
  func aPortOutOfRangeIsRefused(port: Int) {
    #expect(throws: ProcessesError.self) {
      try RedisStore(host: "127.0.0.1", port: port, prefix: "x")
    }
  }

  @Test(arguments: [
    (Double.infinity, "inf seconds"), (.nan, "nan seconds"), (1e300, "1e+300 seconds"),
    (0.5, "0.5 seconds"), (1, "1 second"), (0, "0 seconds"), (30.4, "30 seconds"),
    (-1, "-1 seconds"), (1e9, "1000000000 seconds"),
  ])
  func secondsAreSaidInWords(seconds: Double, words: String) {
    #expect(inSeconds(seconds) == words)
    let missing = ProcessesError.missing(ranks: [1], count: 2, point: "x", seconds: seconds)
    #expect(missing.description.contains("within \(words). "))
    #expect(ProcessesError.silent(rank: 1, seconds: seconds).description.contains(words))
  }

  @Test func waitsHaveAnEnd() {
    let now = ContinuousClock.now
    for seconds in [Double.nan, -1, -Double.infinity, 0] {
      #expect(deadline(after: seconds) < now + .seconds(60))
    }
    for seconds in [Double.infinity, 1e300, 1e9] {
      #expect(deadline(after: seconds) > now + .seconds(9e8))
    }
    #expect(deadline(after: 5) > now + .seconds(4))
  }

  @Test(arguments: [
    [], [1], [1, 2, 3], [UInt8](repeating: 255, count: 8), [0, 0, 0, 0, 0, 0, 0, 128],
    [UInt8](repeating: 1, count: 9), [UInt8](repeating: 255, count: 1000),
  ])
  func aStepThatIsNoneIsNamed(bytes: [UInt8]) throws {
    let group = try alone()
    try group.store.put("stop/step", bytes)
    let error = #expect(throws: ProcessesError.self) { try group.stop(after: 1) }
    #expect(error == .strangeValue(key: "stop/step", expected: "the number of a step"))
  }

  @Test func stepsUpToTheLargestAreDecided() throws {
    let group = try alone()
    #expect(try group.stop(after: 1) == nil)
    try group.requestStop()
    #expect(try group.stop(after: 7) == 9)
    #expect(try group.stop(after: 8) == 9)
    let last = try alone()
    try last.requestStop()
    #expect(try last.stop(after: .max) == .max)
  }

  @Test func aWaitForOthersCanBeStopped() throws {
    let asked = Atomic<Int>(0)
    let error = #expect(throws: ProcessesError.self) {
      try ProcessGroup(
        rank: 0, count: 2, store: try FolderStore(folder.path),
        stopping: { asked.wrappingAdd(1, ordering: .relaxed).newValue > 3 })
    }
    #expect(error == .stopped(point: "the start"))
  }

  private func alone() throws -> ProcessGroup {
    try ProcessGroup(rank: 0, count: 1, store: FolderStore(folder.path + "/\(UUID())"))
  }

  @Test(arguments: [
    ["TWINFLOW_PROCESS": "0"], ["TWINFLOW_PROCESS": "0", "TWINFLOW_PROCESSES": "0"],
    ["TWINFLOW_PROCESS": "0", "TWINFLOW_PROCESSES": "-2"],
    ["TWINFLOW_PROCESS": "0", "TWINFLOW_PROCESSES": "1000000"],
    ["TWINFLOW_PROCESS": "0", "TWINFLOW_PROCESSES": "9223372036854775808"],
    ["TWINFLOW_PROCESS": "-1", "TWINFLOW_PROCESSES": "2"],
    ["TWINFLOW_PROCESS": "9223372036854775807", "TWINFLOW_PROCESSES": "2"],
    ["SLURM_PROCID": "2", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"],
    ["SLURM_PROCID": "x", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"],
    ["SLURM_PROCID": "0", "SLURM_NTASKS": "1e3", "SLURM_STEP_ID": "0"],
  ])
  func aPlaceThatIsNoneIsRefused(environment: [String: String]) {
    #expect(throws: ProcessesError.self) { try ProcessPlace(environment: environment) }
  }

  @Test(arguments: ["../../x", "..", ".", "a/b", "a b", "é"])
  func aRunsNameStaysInItsFolder(run: String) throws {
    let place = ProcessPlace(rank: 0, count: 2, store: nil, run: run)
    let store = try #require(try place.openStore(in: folder.path) as? FolderStore)
    let inner = folder.path + "/.processes/"
    #expect(store.path.hasPrefix(inner))
    let name = store.path.dropFirst(inner.count)
    #expect(!name.isEmpty && !name.contains("/") && !name.hasPrefix("."))
  }

  @Test(arguments: ["", "0", "-4", "x", "99999999999"])
  func aLauncherThatIsNoneIsRefused(text: String) {
    #expect(throws: ProcessesError.self) {
      try LaunchedProcess(environment: [LaunchedProcess.launcherKey: text])
    }
  }

  @Test func aStoreThatMayNotBeReadIsNamed() throws {
    let store = try FolderStore(folder.path)
    // A folder is in the place of a value.
    try FileManager.default.createDirectory(
      atPath: folder.path + "/a", withIntermediateDirectories: false)
    #expect(throws: ProcessesError.storeUnreachable(store: folder.path, reason: "Is a directory")) {
      try store.get("a")
    }
    let error = #expect(throws: ProcessesError.self) { try FolderStore("/dev/null/a/b") }
    #expect(error == .storeUnreachable(store: "/dev/null/a/b", reason: "Not a directory"))
  }
}
