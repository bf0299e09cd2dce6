import Datasets
import Runtime
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct PrefetcherTests {
  /// Numbered batches of two rows, which end in an error.
  private struct Counted: BatchSource {
    let last: Int
    let calls: Counter
    var number = 0
    var content: String { "numbers" }

    mutating func next(rows: Range<Int>) throws -> Named<HostArray> {
      calls.add()
      guard number < last else { throw DatasetError.wrongPosition(reason: "the end") }
      defer { number += 1 }
      let values = [Float(2 * number), Float(2 * number + 1)]
      return Named([("sample", HostArray(Array(values[rows]), shape: [rows.count]))])
    }

    func saved() -> String { "\(number)" }
    mutating func restore(_ saved: String) throws { number = Int(saved)! }
  }

  private final class Counter: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
  }

  @Test("Batches come in order, each with the position after it", arguments: [0, 1, 2, 5])
  func order(ahead: Int) throws {
    let calls = Counter()
    let prefetcher = Prefetcher(
      Counted(last: 4, calls: calls), batch: 2, sharding: .replicated, ahead: ahead,
      on: try SharedEngine.get()
    ) { _ in }
    for number in 0..<4 {
      let batch = try prefetcher.next()
      #expect(
        try batch.arrays["sample"]!.array(of: Float.self)
          == [Float(2 * number), Float(2 * number + 1)])
      #expect(batch.position == "\(number + 1)")
      // No more are prepared than may wait, and the one that is being prepared.
      #expect(calls.value <= number + 2 + ahead)
    }
    for _ in 0..<2 {
      #expect(throws: DatasetError.wrongPosition(reason: "the end")) { try prefetcher.next() }
    }
  }

  @Test func errorsOfTheCheckAreThrownByNext() throws {
    struct Refused: Error {}
    let prefetcher = Prefetcher(
      Counted(last: 4, calls: Counter()), batch: 2, sharding: .replicated,
      on: try SharedEngine.get()
    ) { arrays in
      if arrays["sample"]!.array(of: Float.self)[0] == 2 { throw Refused() }
    }
    _ = try prefetcher.next()
    #expect(throws: Refused.self) { try prefetcher.next() }
  }

  @Test func theThreadEndsWithThePrefetcher() throws {
    let calls = Counter()
    do {
      let prefetcher = Prefetcher(
        Counted(last: 100, calls: calls), batch: 2, sharding: .replicated,
        on: try SharedEngine.get()
      ) { _ in }
      _ = try prefetcher.next()
    }
    let before = calls.value
    #expect(before <= 5)
  }
}
