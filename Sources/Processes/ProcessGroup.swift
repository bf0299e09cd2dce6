import Foundation
import PJRT
import Synchronization

/// The processes of a run, with barriers and a watch for failures.
///
/// A process that dies would leave the others waiting in a collective forever. Each one therefore
/// writes a heartbeat to the store every few seconds, and checks those of the others.
public final class ProcessGroup: Sendable {
  /// The number of this process, from 0.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  /// The store by which they communicate, without the values of earlier runs.
  public let store: any KeyValueStore
  /// How long to wait for the other processes.
  public let patience: Patience

  private let isOver = Atomic<Bool>(false)
  private let meetings = Mutex<[String: Int]>([:])

  /// How long to wait for other processes, in seconds.
  public struct Patience: Hashable, Sendable {
    /// The limit for all processes to join.
    public var coming = 300.0
    /// The limit for a heartbeat.
    public var life = 30.0
    /// The interval between heartbeats of this process.
    public var pulse = 3.0

    /// Makes the default.
    public init() {}
  }

  /// Joins a group and waits until all processes have joined.
  ///
  /// - Parameter stopping: returns whether to end the wait early.
  /// - Throws: `ProcessesError`.
  public init(
    rank: Int, count: Int, store: any KeyValueStore, patience: Patience = Patience(),
    stopping: @escaping @Sendable () -> Bool = { false }
  ) throws {
    (self.rank, self.count, self.patience) = (rank, count, patience)
    self.store = try Gathering(rank: rank, count: count, store: store, stopping: stopping)
      .own(within: patience.coming)
    try pulse(0)
  }

  /// Waits at a barrier until all processes have reached it; names can be reused.
  ///
  /// - Parameter seconds: the limit; by default as long as all other processes are alive.
  /// - Throws: `ProcessesError.missing` with the processes that did not reach it, `failed` where
  ///   one failed.
  public func meet(_ point: String, seconds: Double = .infinity) throws {
    let number = meetings.withLock { meetings in
      meetings[point, default: 0] += 1
      return meetings[point]!
    }
    let key = { (rank: Int) in "meeting/\(point)/\(number)/\(rank)" }
    try store.put(key(rank), [1])
    let end = deadline(after: seconds)
    var pause = 0.002
    var waiting = Set(0..<count)
    var watch = Watch(self)
    while true {
      waiting = try waiting.filter { try store.get(key($0)) == nil }
      if waiting.isEmpty { return }
      try checkFailures(of: waiting)
      if seconds == .infinity { try watch.check(waiting.subtracting([rank])) }
      guard ContinuousClock.now < end else {
        throw ProcessesError.missing(
          ranks: waiting.sorted(), count: count, point: point, seconds: seconds)
      }
      Thread.sleep(forTimeInterval: pause)
      pause = min(0.1, pause * 1.5)
    }
  }

  /// Writes heartbeats and watches the other processes until this one is done, on a separate
  /// thread.
  ///
  /// - Parameter lost: called with the error where a process has failed or is silent, or the store
  ///   is unreachable; it should end the process, because waiting for the others would block
  ///   forever.
  public func watch(lost: @escaping @Sendable (any Error) -> Void) {
    let thread = Thread { [self] in
      var watch = Watch(self)
      var number: UInt64 = 1
      while !isOver.load(ordering: .relaxed) {
        do {
          try pulse(number)
          number &+= 1
          let others = Set(0..<count).subtracting([rank])
          try checkFailures(of: others)
          try watch.check(others)
        } catch {
          if !isOver.load(ordering: .relaxed) { lost(error) }
          return
        }
        Thread.sleep(forTimeInterval: patience.pulse)
      }
    }
    thread.start()
  }

  /// Requests that all processes stop; any process may call this, repeatedly.
  public func requestStop() throws { try store.put("stop/wish", [1]) }

  /// The step after which all processes stop, nil without a request. All processes must call this
  /// after every step: none is then more than one step ahead of the first process, which decides.
  ///
  /// - Throws: `ProcessesError`, `strangeValue` where the stored value is not a step.
  public func stop(after step: Int) throws -> Int? {
    if let decided = try store.get("stop/step") {
      guard let last = Self.number(decided), last >= 0 else {
        throw ProcessesError.strangeValue(key: "stop/step", expected: "the number of a step")
      }
      return last
    }
    guard rank == 0, try store.get("stop/wish") != nil else { return nil }
    let last = step < .max - 2 ? step + 2 : step
    try store.put("stop/step", withUnsafeBytes(of: UInt64(last).littleEndian, Array.init))
    return last
  }

  /// Reports that this process has finished, so that the others no longer watch it.
  public func finish() throws {
    isOver.store(true, ordering: .relaxed)
    try store.put("done/\(rank)", [1])
  }

  /// Reports that this process has failed, so that the others notice before its heartbeat is
  /// overdue.
  public func fail(_ error: any Error) {
    isOver.store(true, ordering: .relaxed)
    try? store.put("failure/\(rank)", Array("\(error)".utf8))
  }

  /// A little-endian number of eight bytes; nil for other counts and for numbers out of range.
  private static func number(_ bytes: [UInt8]) -> Int? {
    guard bytes.count == 8 else { return nil }
    return Int(exactly: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  private func pulse(_ number: UInt64) throws {
    try store.put("life/\(rank)", withUnsafeBytes(of: number.littleEndian, Array.init))
  }

  private func checkFailures(of ranks: some Sequence<Int>) throws {
    for other in ranks {
      if let message = try store.get("failure/\(other)") {
        throw ProcessesError.failed(
          rank: other, message: String(decoding: message, as: UTF8.self))
      }
    }
  }

  /// The time at which each process's heartbeat last changed, by this process's clock.
  private struct Watch {
    let group: ProcessGroup
    private var seen: [Int: (sign: [UInt8]?, at: ContinuousClock.Instant)] = [:]

    init(_ group: ProcessGroup) { self.group = group }

    mutating func check(_ ranks: some Sequence<Int>) throws {
      let now = ContinuousClock.now
      for rank in ranks {
        if try group.store.get("done/\(rank)") != nil { continue }
        let sign = try group.store.get("life/\(rank)")
        guard let last = seen[rank], last.sign == sign else {
          seen[rank] = (sign, now)
          continue
        }
        let silence = (now - last.at) / .seconds(1)
        guard silence < group.patience.life else {
          throw ProcessesError.silent(rank: rank, seconds: silence)
        }
      }
    }
  }
}
