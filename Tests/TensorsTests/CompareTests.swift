import TestSupport
import Testing

@testable import Tensors

@Suite struct CompareTests {
  @Test(arguments: [DType.float32, .float64, .int32, .uint8, .bfloat16])
  func directions(_ dtype: DType) throws {
    let (a, b) = (Numbers([1, 2, 3], nil, dtype), Numbers([2, 2, 2], nil, dtype))
    let results = try evaluate([a, b]) {
      let (a, b) = ($0[0], $0[1])
      return [
        a.equal(b), a.notEqual(b), a.less(b), a.lessOrEqual(b), a.greater(b), a.greaterOrEqual(b),
        a.less(2), a.greater(2),
      ]
    }
    #expect(
      results.map(\.values) == [
        [0, 1, 0], [1, 0, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0], [0, 0, 1],
      ])
    #expect(results[0].dtype == .bool)
  }

  @Test func nothingEqualsNaN() throws {
    let results = try evaluate([Numbers([.nan, 1])]) {
      [$0[0].equal($0[0]), $0[0].notEqual($0[0]), $0[0].less(2), $0[0].greater(0)]
    }
    #expect(results.map(\.values) == [[0, 1], [1, 0], [0, 1], [0, 1]])
  }

  @Test func unsignedNumbersCompareWithoutSign() throws {
    let big = Numbers([3_000_000_000], nil, .uint32)
    #expect(try evaluate([big]) { [$0[0].greater(1)] }[0].values == [1])
  }

  @Test func selectBroadcasts() throws {
    let condition = Numbers([1, 0], [2, 1], .bool)
    let a = Numbers([1, 2, 3])
    let result = try evaluate([condition, a, Numbers([9], [])]) { [$0[0].select($0[1], $0[2])] }
    expectClose(result[0], Numbers([1, 2, 3, 9, 9, 9], [2, 3]))
  }

  @Test func selectsGradient() throws {
    try expectGradient(
      at: [Numbers([1, 0, 0, 1], [2, 2], .bool), .random([2, 2]), .random([2], seed: 2)]
    ) { [$0[0].select($0[1], $0[2])] }
  }
}
