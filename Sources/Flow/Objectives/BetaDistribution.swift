import Recipe
import Tensors

/// A beta distribution of times, clamped to [0, 1] and scaled.
public struct BetaDistribution: Codable, Hashable, Sendable, RecipeForm {
  /// Three numbers.
  public static let form = "`[a, b, scale]`, all above 0, the scale at most 1"

  /// The first parameter.
  public var a: Double
  /// The second parameter.
  public var b: Double
  /// The factor on the draws.
  public var scale: Double

  /// Makes a distribution, by default the uniform one.
  public init(a: Double = 1, b: Double = 1, scale: Double = 1) {
    (self.a, self.b, self.scale) = (a, b, scale)
  }

  /// Reads `[a, b, scale]`.
  public init(from decoder: any Decoder) throws {
    let values = try [Double](from: decoder)
    guard values.count == 3, values[0] > 0, values[1] > 0, values[2] > 0, values[2] <= 1 else {
      throw InvalidRecipeValue(
        values, "it must be [a, b, scale] with a and b above 0 and a scale above 0, at most 1")
    }
    self.init(a: values[0], b: values[1], scale: values[2])
  }

  /// Writes `[a, b, scale]`.
  public func encode(to encoder: any Encoder) throws { try [a, b, scale].encode(to: encoder) }

  /// Draws of a shape before they are scaled, f32.
  func unscaled(_ key: Key, _ shape: Shape) -> Tensor { key.beta(a, b, shape) }

  /// The times of draws, in [0, scale].
  func times(_ draws: Tensor) -> Tensor { draws.clamped(0...1) * scale }
}
