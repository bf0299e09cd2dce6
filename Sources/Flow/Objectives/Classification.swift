/// Naming an image's class, the objective of classifiers; it has no settings.
public struct ClassificationSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "classification"

  /// Makes the settings.
  public init() {}

  private enum CodingKeys: CodingKey {}

  /// Reads nothing.
  public init(from decoder: any Decoder) throws {
    _ = try decoder.container(keyedBy: CodingKeys.self)
  }

  /// Writes nothing.
  public func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: CodingKeys.self)
  }

  /// Classification is not an objective of a flow.
  public func objective(batch: Int) -> (any Objective)? { nil }

  /// A classifier knows no times.
  public var teachesAnyStep: Bool { false }
}
