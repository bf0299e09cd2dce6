/// The pixels of a convex polygon with its outline, by rows.
struct PolygonRows {
  /// The first and the last column of each row.
  private(set) var rows: MaskRegions.Region = [:]

  /// Makes the rows of a polygon with some corners.
  init(_ corners: [SIMD2<Int>]) {
    for (a, b) in zip(corners, corners.dropFirst() + corners.prefix(1)) {
      // A pixel for each step along the longer axis.
      let side = SIMD2<Double>(b &- a)
      let steps = max(1, Int(max(abs(side.x), abs(side.y))))
      for step in 0...steps {
        let place = SIMD2<Double>(a) + side * (Double(step) / Double(steps))
        add(SIMD2<Int>(place.rounded(.toNearestOrAwayFromZero)))
      }
    }
  }

  private mutating func add(_ point: SIMD2<Int>) {
    let row = rows[point.y] ?? MaskRegions.Row(first: point.x, last: point.x)
    rows[point.y] = MaskRegions.Row(first: min(row.first, point.x), last: max(row.last, point.x))
  }
}
