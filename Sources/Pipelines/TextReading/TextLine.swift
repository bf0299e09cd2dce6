import Pictures

/// A line of text that was read in a picture.
public struct TextLine: Hashable, Sendable {
  /// The corners in pixels of the picture: upper left, upper right, lower right, lower left.
  public let corners: [SIMD2<Double>]
  /// The text.
  public let text: String
  /// The mean probability of its characters.
  public let score: Double
}

/// The quadrilaterals of lines of text.
enum TextQuadrilateral {
  /// The quadrilaterals from the upper ones to the lower ones, and from left to right where their upper left
  /// corners are less than 10 pixels apart in height.
  static func inReadingOrder(_ lines: [[SIMD2<Int>]]) -> [[SIMD2<Int>]] {
    var sorted = lines.enumerated().sorted { a, b in
      let (one, other) = (a.element[0], b.element[0])
      return (one.y, one.x, a.offset) < (other.y, other.x, b.offset)
    }.map(\.element)
    for end in sorted.indices.dropFirst() {
      var place = end
      while place > 0 {
        let (before, own) = (sorted[place - 1][0], sorted[place][0])
        guard abs(own.y - before.y) < 10, own.x < before.x else { break }
        sorted.swapAt(place - 1, place)
        place -= 1
      }
    }
    return sorted
  }

  /// A line as an upright picture; those that are half as high again as wide or more are turned.
  static func picture(_ corners: [SIMD2<Int>], of picture: RGBImage) -> RGBImage {
    func length(_ a: Int, _ b: Int) -> Float {
      let side = SIMD2<Float>(corners[a] &- corners[b])
      return (side * side).sum().squareRoot()
    }
    let (width, height) = (
      Int(max(length(0, 1), length(2, 3))), Int(max(length(0, 3), length(1, 2)))
    )
    let line = picture.straightened(
      corners.map { SIMD2<Double>($0) }, width: width, height: height)
    return Double(height) / Double(width) >= 1.5 ? line.turnedCounterclockwise() : line
  }
}
