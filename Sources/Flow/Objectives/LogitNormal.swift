import Recipe
import Tensors

/// The distribution of times whose logit is normal: Esser and others, "Scaling rectified flow transformers
/// for high-resolution image synthesis", 2024. The logarithm of the ratio of noise to data is normal.
public struct LogitNormal: Codable, Hashable, Sendable, RecipeForm {
  /// Two numbers.
  public static let form = "`[mean, deviation]` of the logit, the deviation above 0"

  /// The mean of `log(t / (1 − t))`.
  public var mean: Double
  /// Its standard deviation.
  public var deviation: Double

  /// Makes a distribution.
  public init(mean: Double, deviation: Double) {
    (self.mean, self.deviation) = (mean, deviation)
  }

  /// Reads `[mean, deviation]`.
  public init(from decoder: any Decoder) throws {
    let values = try [Double](from: decoder)
    guard values.count == 2, values[1] > 0 else {
      throw InvalidRecipeValue(
        values, "it must be [mean, deviation] with a deviation above 0, as in [-0.4, 1]")
    }
    self.init(mean: values[0], deviation: values[1])
  }

  /// Writes `[mean, deviation]`.
  public func encode(to encoder: any Encoder) throws { try [mean, deviation].encode(to: encoder) }

  /// Times in (0, 1) of a shape, f32.
  func draw(_ key: Key, _ shape: Shape) -> Tensor {
    (key.normal(shape, .float32) * deviation + mean).sigmoid()
  }
}
