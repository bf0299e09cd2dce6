import Recipe

/// Naming an image's class, the objective of classifiers; it has no settings.
public struct ClassificationSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "classification"

  /// Makes the settings.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = "Naming an image's class; it trains a classifier."

  /// It trains a classifier.
  public static var supervised: String? { "classifier" }

  /// There are no keys.
  public static let fields: [Field] = []

  /// Classification is not an objective of a flow.
  public func objective(batch: Int) -> (any Objective)? { nil }

  /// A classifier knows no times.
  public var teachesAnyStep: Bool { false }
}
