import Foundation

/// A convex polygon that is larger by a distance on all sides, with rounded corners: what Clipper 6 computes
/// for round joins of closed polygons, on a grid of whole numbers.
enum RoundedOffset {
  /// How far an arc's chords may lie within the arc.
  private static let tolerance = 0.25

  /// The points of the larger polygon.
  ///
  /// - Parameters:
  ///   - corners: clockwise as seen with y downwards; equal neighbors count once.
  ///   - distance: above 0.
  static func points(around corners: [SIMD2<Int>], distance: Double) -> [SIMD2<Int>] {
    let corners = corners.indices.filter {
      corners[$0] != corners[($0 + corners.count - 1) % corners.count]
    }.map { SIMD2(Double(corners[$0].x), Double(corners[$0].y)) }
    guard corners.count > 2 else { return [] }
    let normals = corners.indices.map { number in
      let side = corners[(number + 1) % corners.count] - corners[number]
      return SIMD2(side.y, -side.x) / (side * side).sum().squareRoot()
    }
    // Fine pieces of a small arc would all be rounded to the same points.
    let allowed = min(tolerance, distance * tolerance)
    let pieces = min(.pi / acos(1 - allowed / distance), distance * .pi)
    return corners.indices.flatMap { number -> [SIMD2<Int>] in
      let (before, after) = (normals[(number + corners.count - 1) % corners.count], normals[number])
      let sine = min(1, max(-1, before.x * after.y - before.y * after.x))
      let cosine = (before * after).sum()
      func point(_ normal: SIMD2<Double>) -> SIMD2<Int> {
        let place = corners[number] + normal * distance
        return SIMD2(rounded(place.x), rounded(place.y))
      }
      if abs(sine * distance) < 1, cosine > 0 { return [point(before)] }
      let steps = max(Int((pieces / (2 * .pi) * abs(atan2(sine, cosine))).rounded()), 1)
      let turn = 2 * .pi / pieces
      return (0..<steps).map { step in
        let (s, c) = (sin(turn * Double(step)), cos(turn * Double(step)))
        return point(SIMD2(before.x * c - before.y * s, before.x * s + before.y * c))
      } + [point(after)]
    }
  }

  /// The nearest whole number, of two the one further from 0.
  private static func rounded(_ value: Double) -> Int { Int(value.rounded()) }
}
