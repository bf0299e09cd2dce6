import Foundation
import PJRT
import Testing

@testable import Processes

@Suite struct StoreTests {
  /// Runs a body with each kind of store.
  private func withStores(_ body: (any KeyValueStore) throws -> Void) throws {
    let folder = TemporaryFolder()
    try body(FolderStore(folder.path + "/store"))
    let server = try RedisServer()
    try body(RedisStore(host: "127.0.0.1", port: server.port, prefix: "test"))
  }

  @Test func valuesAreKept() throws {
    try withStores { (store: any KeyValueStore) throws in
      #expect(try store.get("a/b") == nil)
      try store.put("a/b", [0, 255, 10, 13, 0])
      #expect(try store.get("a/b") == [0, 255, 10, 13, 0])
      try store.put("a/b", [])
      #expect(try store.get("a/b") == [])
      #expect(try store.get("a") == nil)
      try store.put("ü % ..", [1])
      #expect(try store.get("ü % ..") == [1])
    }
  }

  @Test func valuesAreWaitedFor() throws {
    try withStores { (store: any KeyValueStore) throws in
      #expect(try store.wait(for: "late", seconds: 0.05) == nil)
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: 0.1)
        try? store.put("late", [7])
      }
      #expect(try store.wait(for: "late", seconds: 10) == [7])
    }
  }

  @Test func storesAreOpenedByName() throws {
    let folder = TemporaryFolder()
    func open(_ store: String?) throws -> any KeyValueStore {
      try ProcessPlace(rank: 0, count: 2, store: store, run: "r").openStore(in: folder.path)
    }
    #expect((try open(nil) as? FolderStore)?.path == folder.path + "/.processes/r")
    #expect((try open(folder.path + "/s") as? FolderStore)?.path == folder.path + "/s/r")
    let server = try RedisServer()
    #expect(try open("redis://127.0.0.1:\(server.port)") is RedisStore)
    #expect(throws: ProcessesError.unknownStore("etcd://host")) { try open("etcd://host") }
    for lost in ["redis://127.0.0.1:1", "/dev/null/no"] {
      #expect {
        try open(lost)
      } throws: { error in
        guard case ProcessesError.storeUnreachable = error else { return false }
        return "\(error)".contains("TWINFLOW_STORE")
      }
    }
  }

  @Test func aServerThatGoesIsAnError() throws {
    let server = try RedisServer()
    let store = try RedisStore(host: "127.0.0.1", port: server.port, prefix: "test")
    try store.put("a", [1])
    server.stop()
    #expect {
      try store.get("a")
    } throws: { error in
      guard case ProcessesError.storeUnreachable = error else { return false }
      return true
    }
  }

  @Test(
    arguments: [
      ([:], nil),
      (["TWINFLOW_PROCESS": "1", "TWINFLOW_PROCESSES": "4", "TWINFLOW_RUN": "x"], (1, 4, "x")),
      (["RANK": "3", "WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "j"], (3, 8, "j")),
      (
        ["SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "9", "SLURM_STEP_ID": "0"],
        (0, 2, "9-0")
      ),
      (["SLURM_NTASKS": "2", "SLURM_JOB_ID": "9"], nil), (["RANK": "0", "WORLD_SIZE": "1"], nil),
    ] as [([String: String], (Int, Int, String)?)])
  func theEnvironmentTellsThePlace(
    _ environment: [String: String], _ expected: (rank: Int, count: Int, run: String)?
  ) throws {
    let place = try ProcessPlace(environment: environment)
    #expect(place?.rank == expected?.rank && place?.count == expected?.count)
    #expect(place?.run == expected?.run)
  }

  @Test(arguments: [
    ["RANK": "8", "WORLD_SIZE": "8"], ["WORLD_SIZE": "8"], ["RANK": "0", "WORLD_SIZE": "many"],
  ])
  func aWrongEnvironmentIsAnError(_ environment: [String: String]) {
    #expect(throws: ProcessesError.self) { try ProcessPlace(environment: environment) }
  }
}
