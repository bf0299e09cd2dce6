import Foundation

/// The jobs that wait for a batch. Clients take turns, and a batch is filled with what it can hold of all
/// of them.
final class PictureQueue: @unchecked Sendable {
  // Checked: everything mutable is used with `condition` locked.
  private let condition = NSCondition()
  /// The jobs of each client, oldest first.
  private var jobs: [String: [PictureJob]] = [:]
  /// The clients with jobs; the first one is next.
  private var turns: [String] = []
  private var isClosed = false

  /// The most jobs that wait.
  let limit: Int

  /// Makes an empty queue.
  init(limit: Int) { self.limit = limit }

  /// Why jobs are not taken.
  enum Refusal: Error, Equatable {
    /// So many jobs wait already.
    case full(waiting: Int)
    /// The server is about to stop.
    case closed
  }

  /// The number of jobs that wait.
  var count: Int { condition.withLock { jobs.values.reduce(0) { $0 + $1.count } } }

  /// Adds jobs of one client: all of them, or none.
  func add(_ new: [PictureJob]) throws(Refusal) {
    condition.lock()
    defer { condition.unlock() }
    guard !isClosed else { throw .closed }
    let waiting = jobs.values.reduce(0) { $0 + $1.count }
    guard waiting + new.count <= limit else { throw .full(waiting: waiting) }
    for job in new {
      if jobs[job.client, default: []].isEmpty { turns.append(job.client) }
      jobs[job.client, default: []].append(job)
    }
    condition.signal()
  }

  /// Takes a batch of jobs with one key; waits until there is one.
  ///
  /// The first job is the oldest of the client whose turn it is; then each client adds its oldest job of
  /// the same key, in turns, until the batch is full.
  ///
  /// - Parameter most: the most jobs of a batch with a key.
  /// - Returns: nil once the queue is closed and empty.
  func next(most: (PictureJob.BatchKey) -> Int) -> [PictureJob]? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      dropCancelled()
      if let client = turns.first {
        let first = jobs[client]!.first!
        take(first)
        var batch = [first]
        fill(&batch, most: max(1, most(first.key)))
        return batch
      }
      if isClosed { return nil }
      condition.wait()
    }
  }

  /// Refuses further jobs; those that wait are still made.
  func close() {
    condition.withLock {
      isClosed = true
      condition.broadcast()
    }
  }

  /// Takes out every job, as when the server cannot go on.
  func removeAll() -> [PictureJob] {
    condition.withLock {
      defer { (jobs, turns) = ([:], []) }
      return turns.flatMap { jobs[$0]! }
    }
  }

  private func fill(_ batch: inout [PictureJob], most: Int) {
    let key = batch[0].key
    var hasFound = true
    while hasFound, batch.count < most {
      hasFound = false
      for client in turns where batch.count < most {
        guard let job = jobs[client]?.first(where: { $0.key == key }) else { continue }
        take(job)
        batch.append(job)
        hasFound = true
      }
    }
  }

  /// Removes a job; its client's next turn is after those of all others.
  private func take(_ job: PictureJob) {
    jobs[job.client]!.removeAll { $0 === job }
    turns.removeAll { $0 == job.client }
    if jobs[job.client]!.isEmpty {
      jobs[job.client] = nil
    } else {
      turns.append(job.client)
    }
  }

  private func dropCancelled() {
    for client in turns {
      jobs[client]!.removeAll(where: \.isCancelled)
      if jobs[client]!.isEmpty {
        jobs[client] = nil
        turns.removeAll { $0 == client }
      }
    }
  }
}
