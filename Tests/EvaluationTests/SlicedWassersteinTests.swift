import Datasets
import Testing

@testable import Evaluation

@Suite struct SlicedWassersteinTests {
  /// A shift by d along any line is d·|cos| along each direction: d/√2 in the mean of squares.
  @Test(arguments: [(3, 0), (0, 2), (-1, 1)] as [(Float, Float)])
  func ofAShiftIsItsLength(_ x: Float, _ y: Float) {
    let points = Points.moons.sample(500, seed: 1)
    let moved = points.enumerated().map { $0.element + ($0.offset % 2 == 0 ? x : y) }
    let length = Double(x * x + y * y).squareRoot()
    let distance = SlicedWasserstein.distance(points, moved)
    #expect(abs(distance - length / 2.0.squareRoot()) < 1e-4 * length)
  }

  @Test func doesNotDependOnTheOrderAndTellsSetsApart() {
    let a = Points.spiral.sample(2000, seed: 1)
    var swapped = a
    swapped.replaceSubrange(0..<4, with: [a[2], a[3], a[0], a[1]])
    #expect(SlicedWasserstein.distance(a, swapped) == 0)
    let same = SlicedWasserstein.distance(a, Points.spiral.sample(2000, seed: 2))
    let other = SlicedWasserstein.distance(a, Points.eightGaussians.sample(2000, seed: 2))
    #expect(same > 0 && same < 0.1 && other > 1.5 * same)
  }

  @Test func precisionDetectsPointsBetweenTheArms() {
    let real = Points.spiral.sample(2000, seed: 1)
    let near = PointNeighborhood(real: real, others: Points.spiral.sample(2000, seed: 2))
    #expect(near.precision(real) == 1 && near.recall(real) == 1)
    #expect(abs(near.precision(Points.spiral.sample(2000, seed: 3)) - 0.99) < 0.01)
    let between = real.map { $0 * 0.5 }
    #expect(near.precision(between) < 0.6)
  }

  /// Points of one half of the plane alone are all right, and half of the data are missing.
  @Test func recallDetectsWhatIsMissing() {
    let real = Points.eightGaussians.sample(2000, seed: 1)
    let near = PointNeighborhood(real: real, others: Points.eightGaussians.sample(2000, seed: 2))
    let all = Points.eightGaussians.sample(4000, seed: 3)
    let right = stride(from: 0, to: all.count, by: 2).filter { all[$0] > 0 }
      .flatMap { [all[$0], all[$0 + 1]] }
    #expect(near.precision(right) > 0.97)
    #expect(abs(near.recall(right) - 0.5) < 0.1)
    #expect(near.recall(all) > 0.97)
  }
}
