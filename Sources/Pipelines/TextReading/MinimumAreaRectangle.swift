/// The rectangle of the least area around points, in any direction.
struct MinimumAreaRectangle {
  /// The corners: the upper one of the two on the left, the upper and the lower one of those on the right, and
  /// the lower one on the left.
  let corners: [SIMD2<Double>]
  /// The length of the shorter side.
  let shorterSide: Double

  /// Finds the rectangle; one of its sides lies on a side of the points' convex hull.
  ///
  /// - Returns: nil for points on a line.
  init?(around points: [SIMD2<Int>]) {
    let hull = Self.hull(points).map { SIMD2(Double($0.x), Double($0.y)) }
    guard hull.count > 2 else { return nil }
    var least = Double.infinity
    var best: (along: SIMD2<Double>, low: SIMD2<Double>, high: SIMD2<Double>)?
    for (number, point) in hull.enumerated() {
      let side = hull[(number + 1) % hull.count] - point
      let along = side / (side * side).sum().squareRoot()
      let normal = SIMD2(-along.y, along.x)
      var (low, high) = (SIMD2(repeating: Double.infinity), SIMD2(repeating: -Double.infinity))
      for other in hull {
        let place = SIMD2((other * along).sum(), (other * normal).sum())
        low = pointwiseMin(low, place)
        high = pointwiseMax(high, place)
      }
      let size = high - low
      if size.x * size.y < least {
        least = size.x * size.y
        best = (along, low, high)
      }
    }
    let (along, low, high) = best!
    let normal = SIMD2(-along.y, along.x)
    corners = Self.ordered([
      along * low.x + normal * low.y, along * high.x + normal * low.y,
      along * high.x + normal * high.y, along * low.x + normal * high.y,
    ])
    shorterSide = (high - low).min()
  }

  /// Four corners in the order of `corners`.
  static func ordered(_ corners: [SIMD2<Double>]) -> [SIMD2<Double>] {
    let byColumn = corners.enumerated()
      .sorted { ($0.element.x, $0.offset) < ($1.element.x, $1.offset) }.map(\.element)
    func pair(_ first: Int) -> (upper: SIMD2<Double>, lower: SIMD2<Double>) {
      let (a, b) = (byColumn[first], byColumn[first + 1])
      return b.y > a.y ? (a, b) : (b, a)
    }
    let (left, right) = (pair(0), pair(2))
    return [left.upper, right.upper, right.lower, left.lower]
  }

  /// The corners of the convex hull, without points on its sides: Andrew's monotone chain.
  static func hull(_ points: [SIMD2<Int>]) -> [SIMD2<Int>] {
    let sorted = points.sorted { ($0.x, $0.y) < ($1.x, $1.y) }
    func chain(_ points: some Sequence<SIMD2<Int>>) -> [SIMD2<Int>] {
      var chain: [SIMD2<Int>] = []
      for point in points where chain.last != point {
        while chain.count > 1 {
          let (a, b) = (chain[chain.count - 1] &- chain[chain.count - 2], point &- chain.last!)
          guard a.x * b.y - a.y * b.x <= 0 else { break }
          chain.removeLast()
        }
        chain.append(point)
      }
      return chain
    }
    let (lower, upper) = (chain(sorted), chain(sorted.reversed()))
    return lower.count > 1 ? lower.dropLast() + upper.dropLast() : lower
  }
}
