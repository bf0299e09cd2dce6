/// The fractions of generated points that are near real ones, and of real ones that are near generated
/// ones: precision and recall in the sense of Kynkäänniemi and others, "Improved precision and recall
/// metric", 2019, with one radius for all points.
///
/// Precision detects points between the arms of a spiral, to which the sliced Wasserstein distance is
/// nearly insensitive, recall parts of the data that are left out.
public struct PointNeighborhood: Sendable {
  private let real: [Float]
  private let radius: Float

  /// Makes the metric; the radius is the 99th percentile of the distances of other real points to
  /// the nearest real point.
  public init(real: [Float], others: [Float]) {
    self.real = real
    let distances = Self.squares(others, real).sorted()
    radius = distances.isEmpty ? 0 : distances[distances.count * 99 / 100]
  }

  /// The fraction of points, x and y of each, within the radius of a real one.
  public func precision(_ points: [Float]) -> Double { near(points, to: real) }

  /// The fraction of real points within the radius of a point, x and y of each.
  public func recall(_ points: [Float]) -> Double { near(real, to: points) }

  private func near(_ points: [Float], to others: [Float]) -> Double {
    let near = Self.squares(points, others).count { $0 <= radius }
    return Double(near) / Double(max(1, points.count / 2))
  }

  /// The squared distance of each point to the nearest of the others.
  private static func squares(_ points: [Float], _ others: [Float]) -> [Float] {
    others.withUnsafeBufferPointer { others in
      stride(from: 0, to: points.count, by: 2).map { i in
        let (x, y) = (points[i], points[i + 1])
        var best = Float.infinity
        for j in stride(from: 0, to: others.count, by: 2) {
          let (dx, dy) = (others[j] - x, others[j + 1] - y)
          best = min(best, dx * dx + dy * dy)
        }
        return best
      }
    }
  }
}
