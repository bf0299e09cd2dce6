import Foundation
import Testing

@testable import Datasets

@Suite struct BatchSamplerTests {
  /// From the generator's reference in C, seed 1234567.
  @Test func generatesTheKnownNumbers() {
    var generator = SplitMix64(1_234_567)
    #expect(
      (0..<3).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
  }

  @Test(arguments: [(10, 3), (10, 10), (7, 20), (1, 4), (100, 1)])
  func everyEpochHasEverySampleOnce(count: Int, size: Int) {
    var sampler = BatchSampler(count: count, seed: 5)
    var indices: [Int] = []
    while indices.count < 4 * count {
      let batch = sampler.next(size)
      #expect(batch.count == size)
      indices += batch.map(\.index)
    }
    for epoch in 0..<4 {
      #expect(indices[epoch * count..<(epoch + 1) * count].sorted() == Array(0..<count))
    }
  }

  @Test func orderDependsOnSeedAndEpochOnly() {
    func indices(seed: UInt64, size: Int) -> [BatchSampler.Pick] {
      var sampler = BatchSampler(count: 64, seed: seed)
      return (0..<128 / size).flatMap { _ in sampler.next(size) }
    }
    let picks = indices(seed: 1, size: 32)
    #expect(picks == indices(seed: 1, size: 8))
    #expect(picks != indices(seed: 2, size: 32))
    #expect(picks[..<64].map(\.index) != picks[64...].map(\.index))
    #expect(picks[..<64].map(\.index) != Array(0..<64))
  }

  @Test func coinsAreFair() {
    var sampler = BatchSampler(count: 1000, seed: 3)
    let heads = sampler.next(10_000).count { $0.coin }
    #expect((4800...5200).contains(heads))
  }

  /// Positions at the start, within an epoch, at its very end and beyond it.
  @Test(arguments: [0, 3, 10, 11, 25]) func goesOnWhereItWasSaved(taken: Int) throws {
    var sampler = BatchSampler(count: 10, seed: 9)
    _ = sampler.next(taken)
    let saved = try JSONEncoder().encode(sampler.position)
    var resumed = BatchSampler(count: 10, seed: 9)
    try resumed.restore(JSONDecoder().decode(BatchSampler.Position.self, from: saved))
    #expect(resumed.next(40) == sampler.next(40))
    #expect(resumed.position == sampler.position)
  }

  @Test(arguments: [
    (8, 10, 0, 0), (9, 11, 0, 0), (9, 10, -1, 0), (9, 10, 0, -1), (9, 10, 0, 11),
    (9, 10, Int.max, 0), (9, 10, Int.max / 10, 10),
  ])
  func refusesAnotherPosition(seed: UInt64, count: Int, epoch: Int, taken: Int) throws {
    let json = #"{"seed":\#(seed),"count":\#(count),"epoch":\#(epoch),"taken":\#(taken)}"#
    let position = try JSONDecoder().decode(BatchSampler.Position.self, from: Data(json.utf8))
    var sampler = BatchSampler(count: 10, seed: 9)
    let before = sampler.position
    let error = #expect(throws: DatasetError.self) { try sampler.restore(position) }
    guard case .wrongPosition = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(sampler.position == before)
  }

  /// 40 samples in three buckets, sorted by bucket.
  private let buckets = (0..<40).map { UInt8($0 < 20 ? 0 : $0 < 33 ? 1 : 2) }

  @Test func batchesAreOfOneBucketAndDropNothing() {
    var sampler = BatchSampler(count: 40, seed: 4, buckets: buckets)
    var counts = [Int](repeating: 0, count: 40)
    for _ in 0..<500 {
      let batch = sampler.next(4)
      #expect(batch.count == 4 && Set(batch.map { buckets[$0.index] }).count == 1)
      for pick in batch { counts[pick.index] += 1 }
    }
    // 2000 picks are 50 epochs; at most 3 samples wait in each bucket.
    #expect(counts.reduce(0, +) == 2000 && counts.allSatisfy { (49...51).contains($0) })
  }

  /// How often each sample serves the first half of the rows, which has its own loss, must not depend on its
  /// place in the data or its bucket.
  @Test(arguments: [true, false]) func rowsAreLeftToChance(isBucketed: Bool) {
    var sampler = BatchSampler(count: 40, seed: 11, buckets: isBucketed ? buckets : [])
    var (first, all) = ([Int](repeating: 0, count: 40), [Int](repeating: 0, count: 40))
    for _ in 0..<5000 {
      for (row, pick) in sampler.next(8).enumerated() {
        all[pick.index] += 1
        if row < 4 { first[pick.index] += 1 }
      }
    }
    // Each is used about 1000 times; the standard deviation of a share is below 0.016.
    let shares = zip(first, all).map { Double($0) / Double($1) }
    #expect(shares.allSatisfy { abs($0 - 0.5) < 0.08 })
    for range in [0..<20, 20..<33, 33..<40] {
      let (a, b) = (first[range].reduce(0, +), all[range].reduce(0, +))
      #expect(abs(Double(a) / Double(b) - 0.5) < 0.02)
    }
  }

  @Test(arguments: [0, 1, 7, 60]) func bucketsGoOnWhereTheyWereSaved(batches: Int) throws {
    var sampler = BatchSampler(count: 40, seed: 9, buckets: buckets)
    for _ in 0..<batches { _ = sampler.next(6) }
    let saved = try JSONEncoder().encode(sampler.position)
    var resumed = BatchSampler(count: 40, seed: 9, buckets: buckets)
    try resumed.restore(JSONDecoder().decode(BatchSampler.Position.self, from: saved))
    for _ in 0..<40 { #expect(resumed.next(6) == sampler.next(6)) }
    #expect(resumed.position == sampler.position)
  }

  /// Samples that came later, another number of buckets, and other buckets.
  @Test(arguments: ["[[40],[],[]]", "[[-1],[],[]]", "[[],[]]", "[[0],[0],[0]]"])
  func refusesOtherBuckets(waiting: String) throws {
    let json = #"{"seed":9,"count":40,"epoch":1,"taken":0,"waiting":\#(waiting)}"#
    let position = try JSONDecoder().decode(BatchSampler.Position.self, from: Data(json.utf8))
    var sampler = BatchSampler(count: 40, seed: 9, buckets: buckets)
    #expect(throws: DatasetError.self) { try sampler.restore(position) }
  }
}
