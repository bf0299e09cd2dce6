import Foundation
import PJRT

/// The rendezvous of a run's processes in a store that may contain values of earlier runs.
///
/// Each process stores a unique name. The first process answers every name that it finds with a
/// unique name of the run, which each process confirms. Names from earlier runs are answered too,
/// but never confirmed.
struct Gathering {
  let rank: Int
  let count: Int
  let store: any KeyValueStore
  /// Whether to end the wait early.
  var stopping: @Sendable () -> Bool = { false }

  /// Waits until all processes have joined.
  ///
  /// - Returns: the part of the store that belongs to this run.
  /// - Throws: `ProcessesError.missing` with the processes that have not joined, `stopped`.
  func own(within seconds: Double) throws -> any KeyValueStore {
    let own = UUID().uuidString
    try store.put("process/\(rank)", Array(own.utf8))
    let end = deadline(after: seconds)
    var run = rank == 0 ? UUID().uuidString : nil
    var answered: Set<String> = []
    var pause = 0.002
    while true {
      if let run, rank == 0 {
        for other in 0..<count {
          guard let name = try text("process/\(other)"), answered.insert(name).inserted else {
            continue
          }
          try store.put("answer/\(name)", Array(run.utf8))
        }
      }
      if let answer = try text("answer/\(own)") {
        run = answer
        try store.put("run/\(answer)/\(rank)", [1])
      }
      let missing = try (0..<count).filter { other in
        guard let run else { return other != rank }
        return try store.get("run/\(run)/\(other)") == nil
      }
      if missing.isEmpty, let run { return RunStore(store: store, run: run) }
      if stopping() { throw ProcessesError.stopped(point: "the start") }
      guard ContinuousClock.now < end else {
        // Without an answer the first process is missing.
        throw ProcessesError.missing(
          ranks: run == nil ? [0] : missing, count: count, point: "the start", seconds: seconds)
      }
      Thread.sleep(forTimeInterval: pause)
      pause = min(0.1, pause * 1.5)
    }
  }

  private func text(_ key: String) throws -> String? {
    try store.get(key).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// The part of a store that belongs to one run.
private struct RunStore: KeyValueStore {
  let store: any KeyValueStore
  let run: String

  func put(_ key: String, _ value: [UInt8]) throws { try store.put("\(run)/\(key)", value) }
  func get(_ key: String) throws -> [UInt8]? { try store.get("\(run)/\(key)") }
}
