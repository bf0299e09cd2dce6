import Foundation

/// The rectangle of the least area around points, in any direction.
struct MinimumAreaRectangle {
  /// The corners: the upper one of the two on the left, the upper and the lower one of those on the right, and
  /// the lower one on the left.
  let corners: [SIMD2<Double>]
  /// The length of the shorter side.
  let shorterSide: Double

  /// Finds the rectangle; one of its sides lies on a side of the points' convex hull.
  ///
  /// The numbers are of f32 throughout, as in OpenCV 5: corners that are whole numbers then lie on the same side
  /// of them, which matters where they lose their fractions.
  ///
  /// - Returns: nil for points on a line.
  init?(around points: [SIMD2<Int>]) {
    let hull = Self.hull(points).map { SIMD2<Float>($0) }
    guard hull.count > 2 else { return nil }
    var calipers = RotatingCalipers(hull)
    let (origin, along, across) = calipers.least()
    let center = origin + (along + across) * 0.5
    func length(_ side: SIMD2<Float>) -> Float {
      let wide = SIMD2<Double>(side)
      return Float((wide * wide).sum().squareRoot())
    }
    var size = SIMD2(length(along), length(across))
    shorterSide = Double(size.min())
    // From −90 up to 0 degrees.
    var angle = Float(atan2(Double(along.y), Double(along.x)) * 180 / .pi)
    while angle >= 0 { (angle, size) = (angle - 90, SIMD2(size.y, size.x)) }
    while angle < -90 { (angle, size) = (angle + 90, SIMD2(size.y, size.x)) }
    let turn = Double(angle) * .pi / 180
    let (c, s) = (Float(cos(turn)) * 0.5, Float(sin(turn)) * 0.5)
    let corner = SIMD2(
      center.x - s * size.y - c * size.x, center.y + c * size.y - s * size.x)
    let other = SIMD2(
      center.x + s * size.y - c * size.x, center.y - c * size.y - s * size.x)
    corners = Self.ordered(
      [corner, other, 2 * center - corner, 2 * center - other].map { SIMD2<Double>($0) })
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

  /// The corners of the convex hull, without points on its sides: Andrew's monotone chain. The first one is the
  /// lowest of those on the right, as in OpenCV, which decides between rectangles of equal area.
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
    return lower.count > 1 ? upper.dropLast() + lower.dropLast() : lower
  }
}

/// Four lines around a convex polygon, each at a right angle to the next, that turn around it: Toussaint, 1983.
private struct RotatingCalipers {
  private let points: [SIMD2<Float>]
  private let sides: [SIMD2<Float>]
  private let inverseLengths: [Float]
  /// The direction of the first line.
  private var along = SIMD2<Float>(1, 0)
  /// The points that the lines touch: the ones with the least y, the greatest x, the greatest y and the least x
  /// at the start.
  private var touched: [Int]

  /// Makes lines around a polygon whose points go from the x axis to the y axis.
  init(_ points: [SIMD2<Float>]) {
    self.points = points
    sides = points.indices.map { points[($0 + 1) % points.count] - points[$0] }
    inverseLengths = sides.map { side in
      let wide = SIMD2<Double>(side)
      return Float(1 / (wide * wide).sum().squareRoot())
    }
    let numbers = points.indices
    touched = [
      numbers.min { points[$0].y < points[$1].y }!, numbers.max { points[$0].x < points[$1].x }!,
      numbers.max { points[$0].y < points[$1].y }!, numbers.min { points[$0].x < points[$1].x }!,
    ]
  }

  /// The direction of the second line.
  private var across: SIMD2<Float> { SIMD2(-along.y, along.x) }

  /// Turns the lines until one lies on the next side.
  private mutating func turn() {
    let directions = [along, across, -along, -across]
    let cosines = (0..<4).map {
      (directions[$0] * sides[touched[$0]]).sum() * inverseLengths[touched[$0]]
    }
    let line = (1..<4).reduce(0) { cosines[$1] > cosines[$0] ? $1 : $0 }
    let side = sides[touched[line]] * inverseLengths[touched[line]]
    along =
      switch line {
      case 0: side
      case 1: SIMD2(side.y, -side.x)
      case 2: -side
      default: SIMD2(-side.y, side.x)
      }
    touched[line] = (touched[line] + 1) % points.count
  }

  /// The rectangle of the least area: a corner and the two sides from it.
  mutating func least() -> (
    origin: SIMD2<Float>, along: SIMD2<Float>, across: SIMD2<Float>
  ) {
    var area = Float.infinity
    var best: RotatingCalipers?
    for _ in points {
      turn()
      if size.x * size.y <= area { (area, best) = (size.x * size.y, self) }
    }
    return best!.rectangle
  }

  private var size: SIMD2<Float> {
    SIMD2(
      ((points[touched[1]] - points[touched[3]]) * along).sum(),
      ((points[touched[2]] - points[touched[0]]) * across).sum())
  }

  private var rectangle: (origin: SIMD2<Float>, along: SIMD2<Float>, across: SIMD2<Float>) {
    // Where the line on the left crosses the one below.
    let left = (along * points[touched[3]]).sum()
    let low = (across * points[touched[0]]).sum()
    let inverse = 1 / (along.x * across.y - across.x * along.y)
    let origin =
      SIMD2(left * across.y - low * along.y, along.x * low - across.x * left) * inverse
    return (origin, along * size.x, across * size.y)
  }
}
