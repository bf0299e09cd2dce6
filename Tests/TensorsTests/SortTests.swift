import TestSupport
import Testing

@testable import Tensors

@Suite struct SortTests {
  @Test func argsortIsStable() throws {
    let x = Numbers([3, 1, 2, 1, -1, 0, -1, 7], [2, 4])
    let results = try evaluate([x]) { [$0[0].argsort(), $0[0].argsort(0)] }
    expectClose(results[0], Numbers([1, 3, 2, 0, 0, 2, 1, 3], [2, 4]))
    expectClose(results[1], Numbers([1, 1, 1, 0, 0, 0, 0, 1], [2, 4]))
    #expect(results[0].dtype == .int32)
  }

  @Test(arguments: [DType.int64, .uint32, .float32]) func sortsTogether(_ dtype: DType) throws {
    let x = Numbers([3_000_000_000, 1, 2], nil, dtype)
    let results = try evaluate([x, Numbers([10, 20, 30])]) { Node(Sort(axis: 0), $0).tensors }
    #expect(results.map(\.values) == [[1, 2, 3_000_000_000], [20, 30, 10]])
  }
}
