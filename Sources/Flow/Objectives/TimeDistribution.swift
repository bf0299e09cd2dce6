import Recipe
import Tensors

/// The distribution of the times of mean flows and of consistency in continuous time.
public enum TimeDistribution: Codable, Hashable, Sendable, RecipeForm {
  /// The logit of times is normal.
  case logitNormal(LogitNormal)
  /// Times have a beta distribution.
  case beta(BetaDistribution)

  /// Two numbers, or three.
  public static let form = """
    `[mean, deviation]` of the logit, the deviation above 0; or a beta distribution as \
    `[a, b, scale]`, all above 0, the scale at most 1
    """

  /// Reads `[mean, deviation]` or `[a, b, scale]`.
  public init(from decoder: any Decoder) throws {
    let values = try [Double](from: decoder)
    switch values.count {
    case 2: self = .logitNormal(try LogitNormal(from: decoder))
    case 3: self = .beta(try BetaDistribution(from: decoder))
    default:
      throw InvalidRecipeValue(
        values,
        "it must be [mean, deviation] of the logit, as in [-0.4, 1], or [a, b, scale] of a beta "
          + "distribution, as in [0.8, 1, 1]")
    }
  }

  /// Writes the numbers.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .logitNormal(let distribution): try distribution.encode(to: encoder)
    case .beta(let distribution): try distribution.encode(to: encoder)
    }
  }

  /// Times in [0, 1] of a shape, f32.
  func draw(_ key: Key, _ shape: Shape) -> Tensor {
    switch self {
    case .logitNormal(let distribution): distribution.draw(key, shape)
    case .beta(let distribution): distribution.times(distribution.unscaled(key, shape))
    }
  }
}
