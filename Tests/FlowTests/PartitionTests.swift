import Flow
import Testing

@Suite struct PartitionTests {
  /// Batch, weights, and the rows of each group.
  static let splits: [(Int, [Double], [Int])] = [
    (4, [1, 1, 1, 1], [1, 1, 1, 1]),
    (5, [1, 1, 1, 1], [2, 1, 1, 1]),
    (6, [1, 1, 1, 1], [2, 2, 1, 1]),
    (10, [1, 1, 1, 1], [3, 3, 2, 2]),
    (16, [1, 1, 1, 1], [4, 4, 4, 4]),
    (7, [1, 1, 1, 0], [3, 2, 2, 0]),
    (10, [1, 1, 0, 2], [3, 2, 0, 5]),
    (3, [0, 1, 0, 0], [0, 3, 0, 0]),
    (9, [8, 1, 1, 1], [6, 1, 1, 1]),
    // The largest fraction gets the row, not the first part.
    (5, [24, 6, 0, 20], [2, 1, 0, 2]),
    (16, [1, 1, 1, 1, 1], [4, 3, 3, 3, 3]),
    (4, [1, 1, 0, 1, 1], [1, 1, 0, 1, 1]),
  ]

  @Test(arguments: splits)
  func splitsByTheLargestRemainder(batch: Int, weights: [Double], rows: [Int]) throws {
    let partition = try Partition(batch: batch, weights: GroupWeights(weights))
    #expect(
      [
        partition.endToEnd, partition.multiStep, partition.anyStep, partition.adversarial,
        partition.toData,
      ] == rows + [Int](repeating: 0, count: 5 - rows.count))
    #expect(partition.batch == batch)
    #expect(partition.real == batch - rows[3])
  }

  /// Batch, weights, and the smallest batch without an empty group.
  static let tooSmall: [(Int, [Double], Int)] = [
    (3, [1, 1, 1, 1], 4), (1, [1, 1, 1, 1], 4), (2, [1, 1, 1, 0], 3), (4, [8, 1, 1, 1], 9),
  ]

  @Test(arguments: tooSmall)
  func namesTheSmallestBatch(batch: Int, weights: [Double], smallest: Int) throws {
    let weights = GroupWeights(weights)
    let error = FlowError.batchTooSmall(batch: batch, weights: weights, smallest: smallest)
    #expect(throws: error) { try Partition(batch: batch, weights: weights) }
    #expect(error.description.contains("Use a batch of \(smallest) or more"))
    #expect(error.description.contains("end_to_end"))
    #expect(error.description.contains("adversarial") == (weights.adversarial > 0))
    _ = try Partition(batch: smallest, weights: weights)
  }

  @Test func anObjectiveChecksItsBatch() {
    #expect(throws: FlowError.self) { try TwinFlow(TwinFlowSettings(), batch: 2) }
  }
}

extension GroupWeights {
  fileprivate init(_ list: [Double]) {
    self.init(
      endToEnd: list[0], multiStep: list[1], anyStep: list[2], adversarial: list[3],
      toData: list.count > 4 ? list[4] : 0)
  }
}
