import Recipe

/// Finding objects with their boxes and colors, the objective of detectors; it has no settings.
public struct DetectionSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "detection"

  /// Makes the settings.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = "Finding objects with their boxes and colors; it trains a detector."

  /// It trains a detector.
  public static var supervised: String? { "detector" }

  /// There are no keys.
  public static let fields: [Field] = []

  /// Detection is not an objective of a flow.
  public func objective(batch: Int) -> (any Objective)? { nil }

  /// A detector knows no times.
  public var teachesAnyStep: Bool { false }
}
