import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct RotaryTests {
  /// A pair of features as a complex number times e^(i·angle).
  static func expected(_ x: Numbers, _ angles: Numbers, _ layout: Rotary.Layout) -> Numbers {
    let half = x.shape[3] / 2
    return Numbers(x.shape) { place in
      let d = place[3]
      let (pair, isReal) = layout == .interleaved ? (d / 2, d % 2 == 0) : (d % half, d < half)
      let step = layout == .interleaved ? 1 : half
      let token = angles.shape.count == 3 ? [place[0], place[1]] : [place[1]]
      let angle = angles[token + [pair]]
      let other = x[Array(place.dropLast()) + [isReal ? d + step : d - step]]
      return x[place] * cos(angle) + (isReal ? -other : other) * sin(angle)
    }
  }

  @Test(arguments: Rotary.Layout.allCases, [[3, 4], [2, 3, 4]])
  func turnsPairs(_ layout: Rotary.Layout, _ sizes: [Int]) throws {
    let (x, angles) = (Numbers.random([2, 3, 2, 8]), Numbers.random(sizes, seed: 2, in: -9...9))
    let result = try evaluate([x, angles]) { [Rotary(angles: $0[1], layout: layout)($0[0])] }[0]
    expectClose(result, Self.expected(x, angles, layout), relative: 1e-12, absolute: 1e-12)
    try expectGradient(at: [x, angles], directions: 1) {
      [Rotary(angles: $0[1], layout: layout)($0[0])]
    }
  }

  /// Half precision is turned in f32: at position 1000 the angle itself has no place in bfloat16.
  @Test(arguments: Rotary.Layout.allCases) func halves(_ layout: Rotary.Layout) throws {
    let x = Numbers.random([1, 1, 1, 4], .bfloat16)
    let results = try evaluate([x, Numbers([1001], nil, .int32)]) {
      let angles = $0[1].rotaryAngles(width: 4, base: 100)
      return [Rotary(angles: angles, layout: layout)($0[0]), angles]
    }
    #expect(results[0].dtype == .bfloat16)
    expectClose(results[1], Numbers([1001, 100.1], [1, 2]), relative: 1e-6)
    // The device rounds its numbers to bfloat16.
    let given = try evaluate([x]) { [$0[0].cast(to: .float32)] }[0]
    let angles = Numbers([1001, 100.1], [1, 2])
    expectClose(results[0], Self.expected(given, angles, layout), absolute: 5e-3)
  }

  /// The scores of turned queries and keys depend on the difference of their positions alone.
  @Test(arguments: Rotary.Layout.allCases) func scoresAreRelative(_ layout: Rotary.Layout) throws {
    let (q, k) = (Numbers.random([1, 1, 1, 8]), Numbers.random([1, 1, 1, 8], seed: 2))
    let scores = try evaluate([q, k]) { inputs in
      [(3.0, 1.0), (10, 8)].map { places in
        let turned = zip(inputs, [places.0, places.1]).map { x, place in
          let angles = Tensor.constant(place, .float32, shape: [1]).rotaryAngles(width: 8)
          return Rotary(angles: angles.cast(to: .float64), layout: layout)(x)
        }
        return (turned[0] * turned[1]).sum()
      }
    }
    expectClose(scores[0], scores[1], relative: 1e-6, absolute: 1e-6)
  }

  /// Each pair of features is turned by the position along its section's axis.
  @Test func sectionsOfPositions() throws {
    let positions = Numbers([3, 2, 4], .int32) { Double(100 * $0[0] + 10 * $0[1] + $0[2]) }
    let results = try evaluate([positions]) {
      [
        $0[0].multimodalAngles(width: 12, sections: [1, 3, 2], base: 100),
        $0[0].rotaryAngles(width: 12, base: 100),
      ]
    }
    let axes = [0, 1, 1, 1, 2, 2]
    #expect(
      results[0] == Numbers([2, 4, 6], .float32) { results[1][axes[$0[2]], $0[0], $0[1], $0[2]] })
  }

  /// The axes alternate until a section is full; the first axis has what is left.
  @Test func alternatingSectionsOfPositions() throws {
    let positions = Numbers([3, 2, 4], .int32) { Double(100 * $0[0] + 10 * $0[1] + $0[2]) }
    let results = try evaluate([positions]) {
      [
        $0[0].multimodalAngles(width: 16, sections: [4, 3, 1], base: 100, isInterleaved: true),
        $0[0].rotaryAngles(width: 16, base: 100),
      ]
    }
    let axes = [0, 1, 2, 0, 1, 0, 0, 1]
    #expect(
      results[0] == Numbers([2, 4, 8], .float32) { results[1][axes[$0[2]], $0[0], $0[1], $0[2]] })
  }

  @Test func inSelfAttention() throws {
    let declared = Scope.declare { SelfAttention($0, width: 8, heads: 2) }
    let weights = declared.values.enumerated().map {
      Numbers.random($1.shape.sizes, seed: UInt64($0 + 3))
    }
    let inputs = [.random([1, 5, 8]), .random([5, 2], seed: 2)] + weights
    let results = try evaluate(inputs) { tensors in
      let layer = SelfAttention(
        Scope(Named(zip(declared.names, tensors.dropFirst(2)))), width: 8, heads: 2)
      let still = Rotary(angles: tensors[1].zerosLike, layout: .halfSplit)
      let turning = Rotary(angles: tensors[1], layout: .halfSplit)
      return [
        layer(tensors[0], AttentionOptions(mask: .causal)),
        layer(tensors[0], AttentionOptions(mask: .causal), rotary: still.callAsFunction),
        layer(tensors[0], AttentionOptions(mask: .causal), rotary: turning.callAsFunction),
      ]
    }
    expectClose(results[1], results[0], absolute: 1e-12)
    // The first token sees itself alone, whose value is not turned.
    expectClose(Array(results[2].values[..<8]), Array(results[0].values[..<8]), absolute: 1e-12)
    #expect(abs(results[2].values[39] - results[0].values[39]) > 1e-3)
  }
}
