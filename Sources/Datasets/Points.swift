import Foundation

/// Distributions of points in the plane, on which methods can be compared in minutes.
///
/// Each has a mean of about 0 and a standard deviation of about 1 in both directions.
public enum Points: String, Codable, CaseIterable, Sendable {
  /// Eight narrow normal distributions on a circle.
  case eightGaussians = "eight-gaussians"
  /// Two interleaved half circles.
  case moons
  /// The dark squares of a 4 × 4 board.
  case checkerboard
  /// Two arms around the middle.
  case spiral
  /// A rolled-up sheet seen from the side.
  case swissRoll = "swiss-roll"

  /// Random points of the distribution: the same seed and number give the same points.
  ///
  /// - Parameters:
  ///   - count: the number of points.
  ///   - number: the number of the batch with this seed.
  /// - Returns: x and y of each point.
  public func sample(_ count: Int, seed: UInt64, number: Int = 0) -> [Float] {
    var random = SplitMix64(seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(bitPattern: Int64(number)))
    // Decorrelates neighboring seeds.
    random = SplitMix64(random.next())
    return (0..<count).flatMap { _ -> [Float] in
      let point = self.point(&random)
      return [Float(point.x), Float(point.y)]
    }
  }

  private func point(_ random: inout SplitMix64) -> (x: Double, y: Double) {
    func uniform() -> Double { Double.random(in: 0..<1, using: &random) }
    func normal() -> (Double, Double) {
      let radius = (-2 * log(1 - uniform())).squareRoot()
      let angle = 2 * Double.pi * uniform()
      return (radius * cos(angle), radius * sin(angle))
    }
    switch self {
    case .eightGaussians:
      let angle = 2 * Double.pi * (uniform() * 8).rounded(.down) / 8
      let noise = normal()
      return (1.4 * cos(angle) + 0.1 * noise.0, 1.4 * sin(angle) + 0.1 * noise.1)
    case .moons:
      let isInner = uniform() < 0.5
      let angle = Double.pi * uniform()
      let noise = normal()
      let (x, y) = isInner ? (1 - cos(angle), 0.5 - sin(angle)) : (cos(angle), sin(angle))
      return ((x - 0.5 + 0.05 * noise.0) / 0.87, (y - 0.25 + 0.05 * noise.1) / 0.5)
    case .checkerboard:
      let column = (uniform() * 4).rounded(.down)
      let row = (uniform() * 2).rounded(.down) * 2 + column.truncatingRemainder(dividingBy: 2)
      return ((column + uniform() - 2) / 1.155, (row + uniform() - 2) / 1.155)
    case .spiral:
      let turn = uniform().squareRoot() * 3 * Double.pi
      let sign = uniform() < 0.5 ? -1.0 : 1.0
      let noise = normal()
      let (x, y) = (-cos(turn) * turn, sin(turn) * turn)
      return (sign * x / 4.7 + 0.04 * noise.0, sign * y / 4.7 + 0.04 * noise.1)
    case .swissRoll:
      let turn = 1.5 * Double.pi * (1 + 2 * uniform())
      let noise = normal()
      return (
        (turn * cos(turn) - 2 + 0.4 * noise.0) / 6.7,
        (turn * sin(turn) - 0.21 + 0.4 * noise.1) / 6.9
      )
    }
  }
}
