import Foundation

/// The sliced Wasserstein distance between sets of points in the plane: Rabin and others,
/// "Wasserstein barycenter and its application to texture mixing", 2011.
public enum SlicedWasserstein {
  /// The root of the mean, over evenly spaced directions, of the squared 2-Wasserstein distances
  /// between the sets' projections.
  ///
  /// It decreases with the number of points: compare only distances of equal counts.
  ///
  /// - Parameters:
  ///   - a: x and y of each point.
  ///   - b: the same number of points.
  public static func distance(_ a: [Float], _ b: [Float], directions: Int = 128) -> Double {
    precondition(a.count == b.count && a.count % 2 == 0, "the sets have different counts")
    let count = a.count / 2
    guard count > 0 else { return 0 }
    func projected(_ points: [Float], _ x: Float, _ y: Float) -> [Float] {
      (0..<count).map { points[2 * $0] * x + points[2 * $0 + 1] * y }.sorted()
    }
    var sum = 0.0
    for number in 0..<directions {
      let angle = Double.pi * Double(number) / Double(directions)
      let (x, y) = (Float(cos(angle)), Float(sin(angle)))
      let squares = zip(projected(a, x, y), projected(b, x, y)).reduce(0.0) { sum, pair in
        let difference = Double(pair.0 - pair.1)
        return sum + difference * difference
      }
      sum += squares / Double(count)
    }
    return (sum / Double(directions)).squareRoot()
  }
}
