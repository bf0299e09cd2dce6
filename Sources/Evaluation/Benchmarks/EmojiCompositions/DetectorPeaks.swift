/// The objects that the cells of a detector say.
struct DetectorPeaks {
  /// An object.
  struct Peak: Hashable {
    /// The number of its class.
    let label: Int
    /// The probability of its center.
    let score: Float
    /// Left, top, right and bottom in cells.
    let box: [Float]
    /// The number of its color.
    let color: Int
  }

  /// The objects, best first.
  let found: [Peak]

  /// Objects with lower scores are no objects, and of two whose boxes have more in common the better one is
  /// one.
  private static let (least, mostOverlap) = (Float(0.1), Float(0.5))

  /// Finds the cells whose best class has a higher score than those of the cells around them.
  ///
  /// - Parameters:
  ///   - side: the number of cells along a side.
  ///   - scores: the probabilities `[side, side, classes]`.
  ///   - boxes: as the network says them, `[side, side, 4]`, see `Detector.Output`.
  ///   - colorLogits: `[side, side, colors]`.
  init(
    side: Int, classes: Int, colors: Int, scores: [Float], boxes: [Float], colorLogits: [Float]
  ) {
    func best(_ values: ArraySlice<Float>) -> (place: Int, value: Float) {
      let place = values.indices.max { values[$0] < values[$1] }!
      return (place - values.startIndex, values[place])
    }
    let cells = (0..<side * side).map { best(scores[$0 * classes..<($0 + 1) * classes]) }
    var peaks: [Peak] = []
    for (number, cell) in cells.enumerated() where cell.value >= Self.least {
      let (row, column) = (number / side, number % side)
      let isHighest = (max(0, row - 1)...min(side - 1, row + 1)).allSatisfy { y in
        (max(0, column - 1)...min(side - 1, column + 1)).allSatisfy { x in
          let other = cells[y * side + x].value
          // Of equal neighbors the first one counts.
          return other < cell.value || (other == cell.value && y * side + x >= number)
        }
      }
      guard isHighest else { continue }
      let box = boxes[number * 4..<number * 4 + 4].map { $0 }
      let (x, y) = (Float(column) + 0.5 + box[0], Float(row) + 0.5 + box[1])
      let (width, height) = (max(0, box[2]) / 2, max(0, box[3]) / 2)
      peaks.append(
        Peak(
          label: cell.place, score: cell.value,
          box: [x - width, y - height, x + width, y + height],
          color: best(colorLogits[number * colors..<(number + 1) * colors]).place))
    }
    var waiting = peaks.sorted { $0.score > $1.score }
    var found: [Peak] = []
    while !waiting.isEmpty {
      let best = waiting.removeFirst()
      found.append(best)
      waiting.removeAll { boxOverlap(best.box, $0.box) > Self.mostOverlap }
    }
    self.found = found
  }
}

/// The intersection of two boxes (left, top, right and bottom) over their union.
func boxOverlap(_ a: [Float], _ b: [Float]) -> Float {
  func area(_ box: [Float]) -> Float { max(0, box[2] - box[0]) * max(0, box[3] - box[1]) }
  let common = area([
    max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]),
  ])
  let union = area(a) + area(b) - common
  return union > 0 ? common / union : 0
}
