import Flow
import Foundation
import Models
import Synchronization
import Testing

@testable import Pipelines
@testable import Serving

@Suite struct PictureQueueTests {
  /// A job whose size tells which batch it can be in.
  private func job(_ id: UInt64, _ client: String, size: Int = 16) -> PictureJob {
    let request = ResolvedRequest(
      prompt: "a fox", negative: nil, guidance: nil, seed: id,
      size: ImageSize(height: size, width: 16), schedule: .anyStep(.preset(1)))
    return PictureJob(
      id: id, client: client, request: request, model: ServedModelKey(name: "m")
    ) { _ in }
  }

  private func ids(_ queue: PictureQueue, most: Int) -> [UInt64] {
    queue.next { _ in most }!.map(\.id)
  }

  @Test func aClientWithManyJobsDoesNotDelayOthers() throws {
    let queue = PictureQueue(limit: 100)
    try queue.add((1...6).map { job($0, "a") })
    try queue.add([job(11, "b")])
    try queue.add([job(21, "c"), job(22, "c")])
    #expect(ids(queue, most: 1) == [1])
    #expect(ids(queue, most: 1) == [11])
    #expect(ids(queue, most: 1) == [21])
    #expect(ids(queue, most: 1) == [2])
    #expect(ids(queue, most: 1) == [22])
    #expect(ids(queue, most: 3) == [3, 4, 5])
    #expect(ids(queue, most: 3) == [6])
    #expect(queue.count == 0)
  }

  @Test func aBatchTakesInTurnsWhatHasItsKey() throws {
    let queue = PictureQueue(limit: 100)
    try queue.add([job(1, "a"), job(2, "a", size: 32), job(3, "a"), job(4, "a")])
    try queue.add([job(11, "b", size: 32), job(12, "b")])
    #expect(ids(queue, most: 4) == [1, 12, 3, 4])
    #expect(ids(queue, most: 4) == [11, 2])
    #expect(queue.count == 0)
  }

  @Test func jobsAreTakenAllOrNone() throws {
    let queue = PictureQueue(limit: 3)
    try queue.add([job(1, "a"), job(2, "a")])
    #expect(throws: PictureQueue.Refusal.full(waiting: 2)) {
      try queue.add([job(3, "b"), job(4, "b")])
    }
    #expect(queue.count == 2)
    try queue.add([job(5, "b")])
    queue.close()
    #expect(throws: PictureQueue.Refusal.closed) { try queue.add([job(6, "c")]) }
    // What waits is still made.
    #expect(ids(queue, most: 4) == [1, 5, 2])
    #expect(queue.next { _ in 4 } == nil)
  }

  @Test func whatNobodyWaitsForIsLeftOut() throws {
    let queue = PictureQueue(limit: 10)
    let jobs = (1...4).map { job($0, $0 < 3 ? "a" : "b") }
    try queue.add(jobs)
    for place in [0, 2, 3] { jobs[place].cancel() }
    #expect(ids(queue, most: 4) == [2])
    queue.close()
    #expect(queue.next { _ in 4 } == nil)
  }

  /// Of jobs added by many threads none is lost and none is taken twice.
  @Test func manyThreadsAddWhileOneTakes() throws {
    let queue = PictureQueue(limit: 100_000)
    let taken = Mutex<[UInt64]>([])
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      while let batch = queue.next(most: { _ in 16 }) {
        #expect(batch.count <= 16 && Set(batch.map(\.key)).count == 1)
        taken.withLock { $0 += batch.map(\.id) }
      }
      done.signal()
    }
    DispatchQueue.concurrentPerform(iterations: 16) { client in
      for number in 0..<200 {
        let id = UInt64(client * 1000 + number)
        #expect(throws: Never.self) {
          try queue.add([job(id, "\(client % 5)", size: number % 3 == 0 ? 32 : 16)])
        }
      }
    }
    queue.close()
    done.wait()
    let ids = taken.withLock { $0 }
    #expect(ids.count == 3200 && Set(ids).count == 3200)
  }
}
