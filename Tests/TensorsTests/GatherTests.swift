import TestSupport
import Testing

@testable import Tensors

@Suite struct GatherTests {
  static let x = Numbers.random([3, 4, 5])
  static let indices = Numbers([2, 0, 1, 2, 2, 1], [2, 3], .int32)

  @Test(arguments: 0..<3) func takes(_ axis: Int) throws {
    let (x, indices) = (Self.x, Self.indices)
    let result = try evaluate([x, indices]) { [$0[0].take($0[1], axis: axis)] }[0]
    var shape = x.shape
    shape.replaceSubrange(axis...axis, with: indices.shape)
    expectClose(
      result,
      Numbers(shape) { place in
        var source = place
        source.replaceSubrange(axis...axis + 1, with: [Int(indices[Array(place[axis...axis + 1])])])
        return x[source]
      })
    try expectGradient(at: [x, indices]) { [$0[0].squared().take($0[1], axis: axis)] }
  }

  @Test func scalarIndicesRemoveTheAxis() throws {
    let x = Self.x
    let result = try evaluate([x, Numbers([3], [], .int64)]) { [$0[0].take($0[1], axis: -2)] }[0]
    expectClose(result, Numbers([3, 5]) { x[$0[0], 3, $0[1]] })
  }

  /// Both the value and the gradient are those of the nearest slice.
  @Test func indicesOutOfRangeTakeTheNearestSlice() throws {
    let results = try evaluate([Numbers([1, 2, 3]), Numbers([-1, 5, 1], nil, .int32)]) {
      let y = $0[0].take($0[1])
      return [y] + (y * .constant([10.0, 20, 30], shape: [3])).sum().gradients(for: [$0[0]])
    }
    #expect(results.map(\.values) == [[1, 3, 2], [10, 30, 20]])
  }

  @Test(arguments: 0..<2) func scatterAdds(_ axis: Int) throws {
    let target = Numbers.random([3, 3])
    let indices = Numbers([2, 2, 0, 7], nil, .int32)
    let updates = Numbers.random(axis == 0 ? [4, 3] : [3, 4], seed: 4)
    let inputs = [target, indices, updates]
    var expected = target
    for place in Numbers.places(updates.shape) {
      var to = place
      to[axis] = Int(indices[place[axis]])
      if to[axis] < 3 { expected.values[to[0] * 3 + to[1]] += updates[place] }
    }
    expectClose(try evaluate(inputs) { [Tensor(ScatterAdd(axis: axis), $0)] }[0], expected)
  }

  @Test(arguments: 0..<2) func scatterAddsGradient(_ axis: Int) throws {
    let updates = Numbers.random(axis == 0 ? [4, 3] : [3, 4], seed: 4)
    try expectGradient(at: [.random([3, 3]), Numbers([2, 2, 0, 1], nil, .int32), updates]) {
      [Tensor(ScatterAdd(axis: axis), [$0[0].squared(), $0[1], $0[2].sin()])]
    }
  }

  @Test func oneHot() throws {
    let results = try evaluate([Self.indices]) { [$0[0].oneHot(3), $0[0].oneHot(4, .float64)] }
    #expect(results[0].dtype == .float32)
    for (count, result) in zip([3, 4], results) {
      expectClose(
        result, Numbers([2, 3, count]) { Int(Self.indices[$0[0], $0[1]]) == $0[2] ? 1 : 0 })
    }
  }

  @Test func iota() throws {
    let results = try evaluate { _ in
      [.iota([2, 3], .int32), .iota([2, 3], axis: -1, .float64)]
    }
    expectClose(results[0], Numbers([2, 3]) { Double($0[0]) })
    expectClose(results[1], Numbers([2, 3]) { Double($0[1]) })
  }

  /// A place known only at run time; one beyond the axis is moved inside.
  @Test func dynamicPlaces() throws {
    let x = Self.x
    for (row, real) in [(1.0, 1), (9, 2), (-3, 0)] {
      let inputs = [x, Numbers([row], [], .int32), .random([4, 5], seed: 8)]
      let results = try evaluate(inputs) { [$0[0].at($0[1]), $0[0].updating($0[1], with: $0[2])] }
      expectClose(results[0], Numbers([4, 5]) { x[real, $0[0], $0[1]] })
      expectClose(
        results[1], Numbers([3, 4, 5]) { $0[0] == real ? inputs[2][$0[1], $0[2]] : x[$0] })
    }
    try expectGradient(at: [x, Numbers([1], [], .int32), .random([4, 5], seed: 8)]) {
      [$0[0].squared().at($0[1]), $0[0].sin().updating($0[1], with: $0[2].squared())]
    }
  }
}
