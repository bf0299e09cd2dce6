import Datasets
import Testing

@Suite struct PointsTests {
  @Test(arguments: Points.allCases) func areCenteredAndOfUnitSize(_ set: Points) {
    let values = set.sample(40_000, seed: 3)
    for axis in 0..<2 {
      let line = stride(from: axis, to: values.count, by: 2).map { Double(values[$0]) }
      let mean = line.reduce(0, +) / Double(line.count)
      let deviation = (line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(line.count))
        .squareRoot()
      #expect(abs(mean) < 0.05, "\(set), axis \(axis)")
      #expect(abs(deviation - 1) < 0.05, "\(set), axis \(axis): \(deviation)")
    }
  }

  @Test(arguments: Points.allCases) func theSeedAndTheNumberTellThePoints(_ set: Points) {
    let first = set.sample(10, seed: 1)
    #expect(first.count == 20)
    #expect(set.sample(10, seed: 1) == first)
    #expect(set.sample(10, seed: 1, number: 1) != first)
    #expect(set.sample(10, seed: 2) != first)
  }

  /// Points of the board lie on dark squares alone.
  @Test func theBoardHasHoles() {
    let values = Points.checkerboard.sample(1000, seed: 1)
    for i in stride(from: 0, to: values.count, by: 2) {
      let column = Int(((values[i] * 1.155) + 2).rounded(.down))
      let row = Int(((values[i + 1] * 1.155) + 2).rounded(.down))
      #expect((column + row) % 2 == 0)
    }
  }
}
