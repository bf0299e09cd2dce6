import Tensors
import TestSupport
import Testing

/// Interpolation between pixels.
@Suite struct BilinearTests {
  /// By PyTorch's `interpolate` with `align_corners=False`.
  @Test func resizedAsPublished() throws {
    let x = Numbers([0, 1, 2, 3, 4, 5], [1, 2, 3, 1], .float32)
    let results = try evaluate([x]) {
      [$0[0].bilinearResized(height: 3, width: 5), $0[0].bilinearResized(height: 1, width: 2)]
    }
    expectClose(
      results[0],
      Numbers(
        [0, 0.4, 1, 1.6, 2, 1.5, 1.9, 2.5, 3.1, 3.5, 3, 3.4, 4, 4.6, 5], [1, 3, 5, 1], .float32))
    expectClose(results[1], Numbers([1.75, 3.25], [1, 1, 2, 1], .float32))
  }

  @Test func resizingHasAGradient() throws {
    try expectGradient(at: [.random([2, 3, 4, 2])]) {
      [$0[0].squared().bilinearResized(height: 5, width: 3)]
    }
  }

  private static let levels = [(height: 2, width: 3), (height: 1, width: 2)]

  /// The value of a level at whole places, 0 outside.
  private func value(
    _ values: Numbers, _ batch: Int, _ level: Int, _ head: Int, _ x: Int, _ y: Int
  ) -> Double {
    let size = Self.levels[level]
    guard (0..<size.width).contains(x), (0..<size.height).contains(y) else { return 0 }
    let pixel = (level == 0 ? 0 : 6) + y * size.width + x
    return values.values[((batch * 8 + pixel) * 2 + head) * 3]
  }

  /// Each place by the four pixels around it, also partly or wholly outside of the image.
  @Test func pyramidsAreSampledBetweenPixels() throws {
    let values = Numbers.random([2, 8, 2, 3], seed: 3, .float32)
    let (x, y) = (
      Numbers.random([2, 4, 2, 2, 3], seed: 4, in: -1.6...3.4, .float32),
      Numbers.random([2, 4, 2, 2, 3], seed: 5, in: -1.6...2.4, .float32)
    )
    let weights = Numbers.random([2, 4, 2, 2, 3], seed: 6, .float32)
    let found = try evaluate([values, x, y, weights]) {
      [
        FeaturePyramid($0[0], levels: Self.levels)
          .sampled(x: $0[1], y: $0[2], weights: $0[3])
      ]
    }[0]
    #expect(found.shape == [2, 4, 2, 3])
    for batch in 0..<2 {
      for query in 0..<4 {
        for head in 0..<2 {
          var sum = 0.0
          for level in 0..<2 {
            for point in 0..<3 {
              let place = (((batch * 4 + query) * 2 + head) * 2 + level) * 3 + point
              let (left, top) = (x.values[place].rounded(.down), y.values[place].rounded(.down))
              for (across, down) in [(0.0, 0.0), (0, 1), (1, 0), (1, 1)] {
                let share =
                  (1 - abs(x.values[place] - left - across))
                  * (1 - abs(y.values[place] - top - down))
                sum +=
                  share * weights.values[place]
                  * value(values, batch, level, head, Int(left + across), Int(top + down))
              }
            }
          }
          let actual = found.values[((batch * 4 + query) * 2 + head) * 3]
          #expect(abs(actual - sum) < 1e-5)
        }
      }
    }
  }

  /// Values, places and weights; places are kept away from pixels, where the derivative jumps.
  @Test func samplingHasAGradient() throws {
    let places = Numbers.random([1, 2, 2, 2, 2], seed: 8, in: 0.2...0.8)
    try expectGradient(at: [.random([1, 8, 2, 3]), places, .random([1, 2, 2, 2, 2], seed: 9)]) {
      [
        FeaturePyramid($0[0], levels: Self.levels)
          .sampled(x: $0[1], y: $0[1], weights: $0[2])
      ]
    }
  }

  @Test func aPartIsReplacedAtAPlaceOfRunTime() throws {
    let x = Numbers([2, 4]) { Double($0[0] * 4 + $0[1]) }
    let part = Numbers([2, 2]) { 100 + Double($0[0] * 2 + $0[1]) }
    let found = try evaluate([x, part, Numbers([1], [], .int32)]) {
      [$0[0].updated(1, from: $0[2], with: $0[1])]
    }[0]
    expectClose(found, Numbers([0, 100, 101, 3, 4, 102, 103, 7], [2, 4]))
    try expectGradient(at: [x, part]) {
      [$0[0].squared().updated(1, from: .constant(1, .int32), with: $0[1].squared())]
    }
  }
}
