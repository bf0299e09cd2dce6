import Datasets
import Foundation
import Runtime
import Synchronization
import Tensors

/// Prepares batches in advance on a separate thread and copies them to the devices, so that steps
/// do not wait for data.
final class Prefetcher: Sendable {
  /// A batch on the devices.
  struct Prepared: Sendable {
    /// The arrays by name.
    let arrays: Named<ShardedArray>
    /// The position of the stream after this batch, for checkpoints.
    let position: String
  }

  private struct State {
    var source: any BatchSource
    var ready: [Result<Prepared, any Error>] = []
    var isStopped = false
  }

  private let state: Mutex<State>
  private let engine: Engine
  private let batch: Int
  private let rows: Range<Int>
  private let check: @Sendable (Named<HostArray>) throws -> Void
  private let isOnDemand: Bool
  private let filled = DispatchSemaphore(value: 0)
  // Starts at 0, because a semaphore must not be freed with a value below its initial one.
  private let free = DispatchSemaphore(value: 0)

  /// Starts preparing batches.
  ///
  /// - Parameters:
  ///   - batch: the number of rows of a batch over all processes.
  ///   - sharding: how arrays are sharded.
  ///   - ahead: the number of batches to prepare in advance; with 0 each is prepared on demand.
  ///   - check: called with each batch before it is copied; its errors are thrown by `next`.
  init(
    _ source: any BatchSource, batch: Int, sharding: Sharding, ahead: Int = 2, on engine: Engine,
    check: @escaping @Sendable (Named<HostArray>) throws -> Void
  ) {
    state = Mutex(State(source: source))
    self.engine = engine
    self.batch = batch
    self.check = check
    isOnDemand = ahead == 0
    for _ in 0..<ahead { free.signal() }
    rows = engine.rows(of: batch, sharding)
    let thread = Thread { [weak self, free] in
      while true {
        free.wait()
        // The prefetcher may have been released.
        guard let self, self.prepare(sharding) else { return }
      }
    }
    thread.name = "prefetcher"
    thread.start()
  }

  deinit { stop() }

  /// Ends the thread; prepared batches are discarded.
  func stop() {
    state.withLock { $0.isStopped = true }
    free.signal()
  }

  /// Prepares one batch.
  ///
  /// - Returns: whether to continue.
  private func prepare(_ sharding: Sharding) -> Bool {
    // Only this thread uses the source, so it works on a copy outside the lock.
    var source = state.withLock { $0.source }
    guard !state.withLock({ $0.isStopped }) else { return false }
    let result = Result {
      let arrays = try source.next(rows: rows)
      try check(arrays)
      return Prepared(
        arrays: try arrays.mapValues {
          try engine.array($0, sharding, rows: rows, of: batch)
        }, position: try source.saved())
    }
    state.withLock {
      $0.source = source
      $0.ready.append(result)
    }
    filled.signal()
    if case .failure = result { return false }
    return true
  }

  /// The next batch; waits until it is ready.
  ///
  /// - Throws: the errors of the data, the check and the plugin, after which there are no more
  ///   batches.
  func next() throws -> Prepared {
    if isOnDemand { free.signal() }
    filled.wait()
    let result = state.withLock { $0.ready.removeFirst() }
    if case .failure = result {
      // The thread has ended: whoever asks again gets the same error.
      state.withLock { $0.ready = [result] }
      filled.signal()
    } else if !isOnDemand {
      free.signal()
    }
    return try result.get()
  }
}

extension Engine {
  /// The rows of an array's first axis on this process's devices.
  func rows(of count: Int, _ sharding: Sharding) -> Range<Int> {
    guard let mesh else { return 0..<count }
    let regions = client.places(in: mesh).map { sharding.region([count], of: $0, mesh) }
    let start = regions.map { $0.start[0] }.min() ?? 0
    return start..<(regions.map { $0.start[0] + $0.sizes[0] }.max() ?? count)
  }
}
