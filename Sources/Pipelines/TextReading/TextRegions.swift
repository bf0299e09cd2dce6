/// The quadrilaterals of lines of text in a map of probabilities: the post-processing of differentiable
/// binarization, Liao and others, 2020, with the settings of rapidocr-onnxruntime 1.4.4.
struct TextRegions {
  /// The least probability of a pixel of text.
  var threshold: Float = 0.3
  /// The least mean probability within a rectangle.
  var leastScore = 0.5
  /// The distance by which a rectangle grows, times its circumference over its area.
  var growth = 1.6
  /// The most regions that are looked at.
  var limit = 1000

  /// The shorter side of the least region, in pixels of the map.
  private static let leastSide = 3.0

  /// The corners of lines in the pixels of a picture: upper left, upper right, lower right, lower left.
  ///
  /// - Parameters:
  ///   - map: probabilities, row-major.
  ///   - size: the width and height of the map.
  ///   - picture: those of the picture, of which the map is a resized one.
  func callAsFunction(
    _ map: [Float], size: SIMD2<Int>, picture: SIMD2<Int>
  ) -> [[SIMD2<Int>]] {
    let mask = grown(map.map { $0 > threshold }, size)
    let regions = MaskRegions(mask, width: size.x, height: size.y).regions
    return regions.prefix(limit).compactMap { region in
      guard let found = MinimumAreaRectangle(around: MaskRegions.points(region)),
        found.shorterSide >= Self.leastSide,
        mean(map, size, in: found.corners) >= leastScore,
        let large = MinimumAreaRectangle(around: larger(found.corners)),
        large.shorterSide >= Self.leastSide + 2
      else { return nil }
      return line(large.corners, size: size, picture: picture)
    }
  }

  /// A mask with the pixels that lie right of, below or right below a set one.
  private func grown(_ mask: [Bool], _ size: SIMD2<Int>) -> [Bool] {
    var grown = mask
    for y in 0..<size.y {
      for x in 0..<size.x where mask[y * size.x + x] {
        let place = y * size.x + x
        if x + 1 < size.x { grown[place + 1] = true }
        if y + 1 < size.y { grown[place + size.x] = true }
        if x + 1 < size.x, y + 1 < size.y { grown[place + size.x + 1] = true }
      }
    }
    return grown
  }

  /// The mean probability in a quadrilateral with its outline, whose corners lose their fractions.
  private func mean(_ map: [Float], _ size: SIMD2<Int>, in corners: [SIMD2<Double>]) -> Double {
    let low = corners.reduce(corners[0], pointwiseMin)
    let origin = SIMD2<Int>(low.rounded(.down)).clamped(
      lowerBound: .zero, upperBound: size &- 1)
    let rows = PolygonRows(corners.map { SIMD2<Int>($0 - SIMD2<Double>(origin)) })
    var (sum, count) = (0.0, 0)
    for (number, row) in rows.rows {
      let y = origin.y + number
      guard (0..<size.y).contains(y) else { continue }
      let (first, last) = (max(0, origin.x + row.first), min(size.x - 1, origin.x + row.last))
      guard first <= last else { continue }
      for x in first...last { sum += Double(map[y * size.x + x]) }
      count += last - first + 1
    }
    return count == 0 ? 0 : sum / Double(count)
  }

  /// The points of a rectangle that grows by the text around the part that the network marks.
  private func larger(_ corners: [SIMD2<Double>]) -> [SIMD2<Int>] {
    var (area, circumference) = (0.0, 0.0)
    for (a, b) in zip(corners, corners.dropFirst() + corners.prefix(1)) {
      area += (a.x * b.y - a.y * b.x) / 2
      circumference += ((b - a) * (b - a)).sum().squareRoot()
    }
    return RoundedOffset.points(
      around: corners.map { SIMD2<Int>($0) }, distance: abs(area) * growth / circumference)
  }

  /// Corners of the map as corners of the picture; nil for a line of at most 3 pixels.
  private func line(
    _ corners: [SIMD2<Double>], size: SIMD2<Int>, picture: SIMD2<Int>
  ) -> [SIMD2<Int>]? {
    let scale = SIMD2<Double>(picture) / SIMD2<Double>(size)
    let placed = corners.map {
      ($0 * scale).rounded(.toNearestOrEven)
        .clamped(lowerBound: .zero, upperBound: SIMD2<Double>(picture))
    }
    let last = SIMD2<Double>(picture &- 1)
    let inside = MinimumAreaRectangle.ordered(placed).map { pointwiseMin($0, last) }
    func length(_ a: Int, _ b: Int) -> Int {
      let side = inside[a] - inside[b]
      return Int((side * side).sum().squareRoot())
    }
    guard length(0, 1) > 3, length(0, 3) > 3 else { return nil }
    return inside.map { SIMD2<Int>($0) }
  }
}
