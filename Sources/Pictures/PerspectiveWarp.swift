extension RGBImage {
  /// A quadrilateral of the image as an upright rectangle, by cubic convolution with a = −3/4, as OpenCV's
  /// `warpPerspective` computes it; beyond the edges the image continues with its last pixels.
  ///
  /// - Parameter corners: the places of the rectangle's upper left, upper right, lower right and lower left
  ///   corner, in pixels from the centre of the first one.
  public func straightened(_ corners: [SIMD2<Double>], width: Int, height: Int) -> RGBImage {
    precondition(corners.count == 4 && width > 0 && height > 0, "a quadrilateral has 4 corners")
    let map = Perspective(corners)
    let result = [UInt8](unsafeUninitializedCapacity: width * height * 3) { result, count in
      values.withUnsafeBufferPointer { values in
        var (columns, rows) = ([0, 0, 0, 0], [0, 0, 0, 0])
        for y in 0..<height {
          for x in 0..<width {
            let place = map(Double(x) / Double(width), Double(y) / Double(height))
            let across = Self.taps(place.x, self.width, &columns)
            let down = Self.taps(place.y, self.height, &rows)
            for channel in 0..<3 {
              var sum: Float = 0
              for row in 0..<4 {
                var part: Float = 0
                for column in 0..<4 {
                  let pixel = rows[row] * self.width + columns[column]
                  part += Float(values[pixel * 3 + channel]) * across[column]
                }
                sum += part * down[row]
              }
              let value = min(255, max(0, sum.rounded(.toNearestOrEven)))
              result[(y * width + x) * 3 + channel] = UInt8(value)
            }
          }
        }
      }
      count = width * height * 3
    }
    return RGBImage(width: width, height: height, values: result)
  }

  /// The weights of the four pixels around a place on an axis, whose numbers are written into `pixels`.
  private static func taps(_ place: Double, _ count: Int, _ pixels: inout [Int]) -> SIMD4<Float> {
    // Further out there is nothing but the last pixel; a place that is NaN is the first one.
    let inside = min(Double(count + 1), max(-2, place))
    let first = Int(inside.rounded(.down))
    for tap in 0..<4 { pixels[tap] = min(count - 1, max(0, first - 1 + tap)) }
    let x = Float(inside - Double(first))
    let a: Float = -0.75
    let y = 1 - x
    let before = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    let at = ((a + 2) * x - (a + 3)) * x * x + 1
    let after = ((a + 2) * y - (a + 3)) * y * y + 1
    return SIMD4(before, at, after, 1 - before - at - after)
  }

  /// The image turned by a quarter counterclockwise.
  public func turnedCounterclockwise() -> RGBImage { turned(.counterclockwise) }

  /// The image turned by a half.
  public func turnedUpsideDown() -> RGBImage { turned(.upsideDown) }
}

/// The perspective map of the unit square to a quadrilateral.
private struct Perspective {
  private let origin: SIMD2<Double>
  private let across: SIMD2<Double>
  private let down: SIMD2<Double>
  /// The factors of the denominator.
  private let tilt: SIMD2<Double>

  /// Makes a map from the corners in the order of the square's: (0, 0), (1, 0), (1, 1), (0, 1).
  init(_ corners: [SIMD2<Double>]) {
    func cross(_ a: SIMD2<Double>, _ b: SIMD2<Double>) -> Double { a.x * b.y - a.y * b.x }
    let sum = corners[0] - corners[1] + corners[2] - corners[3]
    let (right, lower) = (corners[1] - corners[2], corners[3] - corners[2])
    let area = cross(right, lower)
    // Of corners on a line nothing but a line can be seen.
    tilt = area == 0 ? .zero : SIMD2(cross(sum, lower), cross(right, sum)) / area
    origin = corners[0]
    across = corners[1] - corners[0] + tilt.x * corners[1]
    down = corners[3] - corners[0] + tilt.y * corners[3]
  }

  func callAsFunction(_ u: Double, _ v: Double) -> SIMD2<Double> {
    (origin + across * u + down * v) / (1 + tilt.x * u + tilt.y * v)
  }
}
