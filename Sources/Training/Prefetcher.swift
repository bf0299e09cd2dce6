import Datasets
import Foundation
import Runtime
import Synchronization
import Tensors

/// Prepares batches ahead on a thread of its own and copies them to the devices, so that a step need
/// not wait for its data.
final class Prefetcher: Sendable {
  /// A batch on the devices.
  struct Prepared: Sendable {
    /// The arrays by name.
    let arrays: Named<ShardedArray>
    /// Where the stream stands after this batch, for checkpoints.
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
  // A semaphore must not be released below the value that it was made with.
  private let free = DispatchSemaphore(value: 0)

  /// Starts to prepare batches.
  ///
  /// - Parameters:
  ///   - batch: the rows of a batch over all processes.
  ///   - sharding: how arrays are sharded.
  ///   - ahead: how many batches may wait; with 0 each is prepared when it is asked for.
  ///   - check: called with each batch before it is copied; what it throws the consumer gets.
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
        // Nobody waits for batches once the prefetcher is gone.
        guard let self, self.prepare(sharding) else { return }
      }
    }
    thread.name = "prefetcher"
    thread.start()
  }

  deinit { stop() }

  /// Ends the thread; batches that are prepared are dropped.
  func stop() {
    state.withLock { $0.isStopped = true }
    free.signal()
  }

  /// Prepares one batch.
  ///
  /// - Returns: whether to go on.
  private func prepare(_ sharding: Sharding) -> Bool {
    // The source is this thread's own: it is taken out while it works.
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

  /// The next batch; waits for it where it is not ready.
  ///
  /// - Throws: what the data, the check or the plugin threw; there is no batch after that.
  func next() throws -> Prepared {
    if isOnDemand { free.signal() }
    filled.wait()
    let result = state.withLock { $0.ready.removeFirst() }
    if !isOnDemand { free.signal() }
    return try result.get()
  }
}

extension Engine {
  /// The rows of an array's first axis that this process's devices have.
  func rows(of count: Int, _ sharding: Sharding) -> Range<Int> {
    guard let mesh else { return 0..<count }
    let regions = client.places(in: mesh).map { sharding.region([count], of: $0, mesh) }
    let start = regions.map { $0.start[0] }.min() ?? 0
    return start..<(regions.map { $0.start[0] + $0.sizes[0] }.max() ?? count)
  }
}
