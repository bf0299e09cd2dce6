import TestSupport
import Testing

@testable import Tensors

@Suite struct SliceTests {
  static let x = Numbers.random([4, 5])

  @Test func slices() throws {
    let x = Self.x
    let results = try evaluate([x]) {
      let x = $0[0]
      return [
        x.slice(0, 1..<3), x.slice(-1, 0..<5, stride: 2), x.slice(1, 1..<4, stride: 3), x[2],
        x[1..<4], x.slice(0, 2..<2),
      ]
    }
    expectClose(results[0], Numbers([2, 5]) { x[$0[0] + 1, $0[1]] })
    expectClose(results[1], Numbers([4, 3]) { x[$0[0], 2 * $0[1]] })
    expectClose(results[2], Numbers([4, 1]) { x[$0[0], 1] })
    expectClose(results[3], Numbers([5]) { x[2, $0[0]] })
    expectClose(results[4], Numbers([3, 5]) { x[$0[0] + 1, $0[1]] })
    #expect(results[5].shape == [0, 5])
  }

  @Test func splits() throws {
    let x = Self.x
    let results = try evaluate([x]) {
      $0[0].split(sizes: [1, 0, 4], axis: 1) + $0[0].split(2) + $0[0].unstack(1)
    }
    expectClose(results[0], Numbers([4, 1]) { x[$0[0], 0] })
    #expect(results[1].shape == [4, 0])
    expectClose(results[2], Numbers([4, 4]) { x[$0[0], $0[1] + 1] })
    expectClose(results[3], Numbers([2, 5]) { x[$0] })
    expectClose(results[4], Numbers([2, 5]) { x[$0[0] + 2, $0[1]] })
    for i in 0..<5 { expectClose(results[5 + i], Numbers([4]) { x[$0[0], i] }) }
  }

  /// Borders and gaps, each of which may also remove.
  static let borders: [[Pad.Amount]] = [
    [.init(low: 1, high: 2), .init()],
    [.init(low: -1, high: 1), .init(low: 2, high: -3)],
    [.init(interior: 2), .init(low: 1, high: 0, interior: 1)],
    [.init(low: -2, high: -1, interior: 2), .init(low: -1, high: 3, interior: 1)],
  ]

  static func padded(_ x: Numbers, _ amounts: [Pad.Amount]) -> Numbers {
    let sizes = zip(x.shape, amounts).map { $0 + $1.low + $1.high + ($0 - 1) * $1.interior }
    return Numbers(sizes) { place in
      var source: [Int] = []
      for (index, amount) in zip(place, amounts) {
        let moved = index - amount.low
        guard moved >= 0, moved % (amount.interior + 1) == 0 else { return 0 }
        source.append(moved / (amount.interior + 1))
      }
      return x[source]
    }
  }

  @Test(arguments: borders.indices) func pads(_ index: Int) throws {
    let amounts = Self.borders[index]
    expectClose(try evaluate([Self.x]) { [$0[0].pad(amounts)] }[0], Self.padded(Self.x, amounts))
    try expectGradient(at: [Self.x]) { [$0[0].squared().pad(amounts)] }
  }

  @Test func padsWithAnotherValue() throws {
    let amounts = Self.borders[2]
    let inputs = [Self.x, Numbers([3], [])]
    let result = try evaluate(inputs) { [Tensor(Pad(amounts: amounts), $0)] }
    #expect(result[0].values.filter { $0 == 3 }.count == result[0].count - Self.x.count)
    try expectGradient(at: inputs) { [Tensor(Pad(amounts: amounts), $0).squared()] }
  }

  static let gradients: [GradientCase] = [
    GradientCase("slice", [4, 5]) {
      [$0[0].squared().slice(0, 1..<3), $0[0].sin().slice(1, 1..<5, stride: 2), $0[0].exp()[1]]
    },
    GradientCase("slice with a rest", [7]) { [$0[0].squared().slice(0, 1..<6, stride: 3)] },
    GradientCase("empty slice", [7]) { [$0[0].slice(0, 2..<2).sum() + $0[0].sin().sum()] },
    GradientCase("split", [4, 6]) {
      let parts = $0[0].squared().split(sizes: [1, 2, 3], axis: 1)
      return [parts[0], parts[2] * parts[0]]
    },
    GradientCase("unstack", [4, 3]) {
      let rows = $0[0].sin().unstack()
      return [rows[0] * rows[3] + rows[1]]
    },
  ]

  @Test(arguments: gradients) func gradient(_ some: GradientCase) throws { try some.check() }
}
