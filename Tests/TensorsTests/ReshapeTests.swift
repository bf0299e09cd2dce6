import TestSupport
import Testing

@testable import Tensors

@Suite struct ReshapeTests {
  static let x = Numbers.random([2, 3, 4])

  @Test func reshapes() throws {
    let x = Self.x
    let results = try evaluate([x]) {
      let x = $0[0]
      return [
        x.reshape([4, -1]), x.reshape([6, 4]), x.expanded([0, -1]), x.expanded([2]),
        x.reshape([24]).expanded(toRank: 3), x.mean().reshape([1, 1]),
      ]
    }
    #expect(
      results.map(\.shape) == [
        [4, 6], [6, 4], [1, 2, 3, 4, 1], [2, 3, 1, 4], [24, 1, 1], [1, 1],
      ])
    #expect(results.prefix(5).allSatisfy { $0.values == x.values })
  }

  @Test func transposes() throws {
    let x = Self.x
    let results = try evaluate([x]) {
      [
        $0[0].transpose([2, 0, 1]), $0[0].swapAxes(), $0[0].swapAxes(0, -1),
        $0[0].transpose([-1, 1, 0]),
      ]
    }
    expectClose(results[0], Numbers([4, 2, 3]) { x[$0[1], $0[2], $0[0]] })
    expectClose(results[1], Numbers([2, 4, 3]) { x[$0[0], $0[2], $0[1]] })
    expectClose(results[2], Numbers([4, 3, 2]) { x[$0[2], $0[1], $0[0]] })
    expectClose(results[3], results[2])
  }

  @Test func broadcastsAndReverses() throws {
    let (x, row) = (Self.x, Numbers.random([3, 1], seed: 3))
    let results = try evaluate([x, row]) {
      [$0[1].broadcast(to: [2, 3, 4]), $0[0].reversed([0, -1])]
    }
    expectClose(results[0], Numbers([2, 3, 4]) { row[$0[1], 0] })
    expectClose(results[1], Numbers([2, 3, 4]) { x[1 - $0[0], $0[1], 3 - $0[2]] })
  }

  @Test func joins() throws {
    let (a, b) = (Numbers.random([2, 3]), Numbers.random([2, 1], seed: 2))
    let results = try evaluate([a, b]) {
      let (a, b) = ($0[0], $0[1])
      return [
        .concatenate([a, b, a], axis: 1), .concatenate([a, a]),
        .concatenate([a, .zeros([2, 0], .float64)], axis: -1), .concatenate([a]),
        .stack([a, a]), .stack([a, a * 2], axis: -1), .stack([a, a], axis: 1),
      ]
    }
    expectClose(
      results[0],
      Numbers([2, 7]) { $0[1] < 3 ? a[$0] : $0[1] == 3 ? b[$0[0], 0] : a[$0[0], $0[1] - 4] })
    expectClose(results[1], Numbers(a.values + a.values, [4, 3]))
    expectClose(results[2], a)
    expectClose(results[3], a)
    expectClose(results[4], Numbers(a.values + a.values, [2, 2, 3]))
    expectClose(results[5], Numbers([2, 3, 2]) { a[$0[0], $0[1]] * Double($0[2] + 1) })
    expectClose(results[6], Numbers([2, 2, 3]) { a[$0[0], $0[2]] })
  }

  static let gradients: [GradientCase] = [
    GradientCase("reshape", [2, 6]) {
      [$0[0].squared().reshape([3, 4]), $0[0].sin().expanded([1])]
    },
    GradientCase("transpose", [2, 3, 4]) {
      [$0[0].squared().transpose([2, 0, 1]), $0[0].sin().transpose([1, 2, 0])]
    },
    GradientCase("broadcast", [3, 1]) {
      [$0[0].sin().broadcast(to: [2, 3, 4]), $0[0].squared().broadcast(to: [5, 3, 1])]
    },
    GradientCase("broadcast of a scalar", [.random([])]) { [$0[0].sin().broadcast(to: [2, 3])] },
    GradientCase("reverse", [2, 3]) { [$0[0].squared().reversed([0, 1]), $0[0].reversed([1])] },
    GradientCase("concatenate", [2, 3], [2, 1]) {
      [.concatenate([$0[0].squared(), $0[1], $0[0], $0[1].sin()], axis: 1)]
    },
    GradientCase("stack", [2, 3], [2, 3]) { [.stack([$0[0], $0[1].squared(), $0[0]], axis: 1)] },
  ]

  @Test(arguments: gradients) func gradient(_ some: GradientCase) throws { try some.check() }

  @Test func nothingIsDoneForNothing() {
    let x = Tensor.placeholder(TensorType([2, 3], .float32))
    #expect(x.reshape([2, 3]).id == x.id)
    #expect(x.transpose([0, 1]).id == x.id)
    #expect(x.broadcast(to: [2, 3]).id == x.id)
    #expect(x.cast(to: .float32).id == x.id)
    #expect(x.slice(0, 0..<2).id == x.id)
    #expect(x.split(1)[0].id == x.id)
    #expect(x.pad([(0, 0), (0, 0)]).id == x.id)
  }
}
