import Foundation
import Synchronization
import Testing

@testable import Processes

@Suite struct ProcessGroupTests {
  private let folder = TemporaryFolder()

  private static let hasty: ProcessGroup.Patience = {
    var patience = ProcessGroup.Patience()
    (patience.coming, patience.life, patience.pulse) = (5, 0.6, 0.05)
    return patience
  }()

  /// Runs a body as each of several processes, on a thread of its own; gives what each one threw.
  private func asProcesses(
    _ count: Int, _ body: @escaping @Sendable (Int, FolderStore) throws -> Void
  ) throws -> [String?] {
    let store = try FolderStore(folder.path)
    let errors = Mutex([String?](repeating: nil, count: count))
    let done = DispatchGroup()
    for rank in 0..<count {
      done.enter()
      Thread.detachNewThread {
        do { try body(rank, store) } catch { errors.withLock { $0[rank] = "\(error)" } }
        done.leave()
      }
    }
    done.wait()
    return errors.withLock { $0 }
  }

  private static func join(_ rank: Int, _ count: Int, _ store: FolderStore) throws -> ProcessGroup {
    try ProcessGroup(rank: rank, count: count, store: store, patience: hasty)
  }

  @Test func allMeet() throws {
    let late = Atomic<Bool>(false)
    let errors = try asProcesses(4) { rank, store in
      let group = try Self.join(rank, 4, store)
      for round in 0..<3 {
        if rank == 2, round == 1 {
          Thread.sleep(forTimeInterval: 0.2)
          late.store(true, ordering: .sequentiallyConsistent)
        }
        try group.meet("a point", seconds: 5)
        if round == 1, !late.load(ordering: .sequentiallyConsistent) {
          throw ProcessesError.missing(ranks: [2], count: 4, point: "too early", seconds: 0)
        }
      }
    }
    #expect(errors == [nil, nil, nil, nil])
  }

  @Test func missingProcessesAreNamed() throws {
    let errors = try asProcesses(2) { rank, store in
      var patience = Self.hasty
      patience.coming = 0.3
      _ = try ProcessGroup(rank: rank, count: 4, store: store, patience: patience)
    }
    for error in errors {
      #expect(error?.contains("Processes 2, 3 of 4 did not reach the start") == true)
    }
  }

  @Test func whoDiesIsMissed() throws {
    let lost = Mutex<[String]>([])
    let errors = try asProcesses(2) { rank, store in
      let group = try Self.join(rank, 2, store)
      // The second one sends no further heartbeat.
      guard rank == 0 else { return }
      group.watch { error in lost.withLock { $0.append("\(error)") } }
      try group.meet("a point")
    }
    let message = "Process 1 has sent no heartbeat"
    #expect(errors[0]?.contains(message) == true && errors[1] == nil)
    for _ in 0..<100 where lost.withLock({ $0.isEmpty }) { Thread.sleep(forTimeInterval: 0.02) }
    #expect(lost.withLock { $0.first }?.contains(message) == true)
  }

  @Test func whoFailsSaysSo() throws {
    let errors = try asProcesses(2) { rank, store in
      let group = try Self.join(rank, 2, store)
      if rank == 1 {
        group.fail(ProcessesError.unknownStore("x"))
      } else {
        try group.meet("a point")
      }
    }
    #expect(errors[0]?.contains("Process 1 has failed: x is not a store.") == true)
  }

  @Test func whoIsDoneIsNotMissed() throws {
    let errors = try asProcesses(2) { rank, store in
      let group = try Self.join(rank, 2, store)
      let lost = Mutex<String?>(nil)
      group.watch { error in lost.withLock { $0 = "\(error)" } }
      if rank == 0 { Thread.sleep(forTimeInterval: 1.2) }
      if let message = lost.withLock({ $0 }) { throw ProcessesError.unknownStore(message) }
      try group.finish()
    }
    #expect(errors == [nil, nil])
  }

  @Test func allStopAtTheSameStep() throws {
    let last = Mutex<[Int]>([0, 0, 0])
    let errors = try asProcesses(3) { rank, store in
      let group = try Self.join(rank, 3, store)
      for step in 1...100 {
        // A collective: nobody is further than one step ahead.
        try group.meet("step", seconds: 5)
        if rank == 2, step == 7 { try group.requestStop() }
        if try group.stop(after: step).map({ step >= $0 }) ?? false {
          last.withLock { $0[rank] = step }
          break
        }
      }
    }
    #expect(errors == [nil, nil, nil])
    let steps = last.withLock { $0 }
    #expect(Set(steps).count == 1 && (8...12).contains(steps[0]), "\(steps)")
  }

  /// A store that an earlier run has left with a failure, a wish to stop and old names.
  @Test func whatEarlierRunsLeftIsNotSeen() throws {
    let ready = Atomic<Int>(0)
    let first = try asProcesses(2) { rank, store in
      let group = try Self.join(rank, 2, store)
      try group.meet("a point", seconds: 5)
      try group.requestStop()
      if rank == 0 { _ = try group.stop(after: 1) }
      // None may see the failure of the other while it still asks the store for something.
      ready.add(1, ordering: .sequentiallyConsistent)
      for _ in 0..<5000 where ready.load(ordering: .sequentiallyConsistent) < 2 {
        Thread.sleep(forTimeInterval: 0.001)
      }
      group.fail(ProcessesError.unknownStore("old"))
    }
    #expect(first == [nil, nil])
    let met = Atomic<Int>(0)
    let second = try asProcesses(2) { rank, store in
      // The second process comes late: its old name must not count for it.
      if rank == 1 { Thread.sleep(forTimeInterval: 0.3) }
      let group = try Self.join(rank, 2, store)
      met.add(1, ordering: .sequentiallyConsistent)
      if try group.stop(after: 1) != nil { throw ProcessesError.unknownStore("an old wish") }
      try group.meet("a point", seconds: 5)
    }
    #expect(second == [nil, nil] && met.load(ordering: .sequentiallyConsistent) == 2)
    var hasty = Self.hasty
    hasty.coming = 0.3
    #expect(throws: ProcessesError.self) {
      try ProcessGroup(rank: 0, count: 2, store: FolderStore(folder.path), patience: hasty)
    }
  }
}
