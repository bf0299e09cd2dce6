import Foundation
import PJRT
import Synchronization

/// The processes of a run: they meet, and each watches that the others live.
///
/// A process that dies would leave the others waiting in a collective for ever. Each one therefore
/// tells the store every few seconds that it lives, and looks whether the others do.
public final class ProcessGroup: Sendable {
  /// The number of this process, from 0.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  /// What they tell each other by; what earlier runs have left there is not seen.
  public let store: any KeyValueStore
  /// How long is waited for others.
  public let patience: Patience

  private let isOver = Atomic<Bool>(false)
  private let meetings = Mutex<[String: Int]>([:])

  /// How long is waited for other processes, in seconds.
  public struct Patience: Hashable, Sendable {
    /// For all to come.
    public var coming = 300.0
    /// For a sign of life.
    public var life = 30.0
    /// Between two signs of one's own.
    public var pulse = 3.0

    /// Makes the usual one.
    public init() {}
  }

  /// Joins a group and waits until all have come.
  ///
  /// - Parameter stopping: ends the wait where it says so.
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

  /// Waits until all processes have come to a point; each name may be used again and again.
  ///
  /// - Parameter seconds: how long, by default as long as all others live.
  /// - Throws: `ProcessesError.missing` with those that have not, `failed` where one has given up.
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

  /// Gives signs of life and watches the others until the process is done, on a thread of its own.
  ///
  /// - Parameter lost: told of a process that has failed or is silent, or of a store that is gone; it
  ///   should end the process, because the others cannot be waited for.
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

  /// Wishes that all stop; may be called by any of them, again and again.
  public func wishToStop() throws { try store.put("stop/wish", [1]) }

  /// The step after which all stop, nil as long as nobody wishes it. All must call this after every
  /// step: none of them can then be further than one step ahead of the first, which decides.
  ///
  /// - Throws: `ProcessesError`, `strangeValue` where the store holds no step.
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

  /// Says that this process is done as it should be: the others do not miss it.
  public func finish() throws {
    isOver.store(true, ordering: .relaxed)
    try store.put("done/\(rank)", [1])
  }

  /// Says that this process has failed, so that the others need not wait for its silence.
  public func fail(_ error: any Error) {
    isOver.store(true, ordering: .relaxed)
    try? store.put("failure/\(rank)", Array("\(error)".utf8))
  }

  /// A number of eight bytes, the lowest first; nil for other bytes and for one out of range.
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

  /// When each process has last been seen to live, by this one's clock.
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
