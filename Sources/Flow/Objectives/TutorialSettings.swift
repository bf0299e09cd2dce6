import Recipe

/// The settings of the TwinFlow objective for small networks.
public struct TutorialSettings: Hashable, Sendable {
  /// N of RCGM: the steps of the target network.
  public var order = 2
  /// Guidance that is folded into the training target.
  public var enhancedRatio = 0.5
  /// The EMA decay of the target network: 0 is the live network, 1 the initial one.
  public var targetEMADecay = 0.99
  /// Whether the twin trajectory's losses are added to RCGM's.
  public var twin = true

  /// Makes the settings of the published tutorial.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("order", \.order, in: 1...16, "N of RCGM: steps of the target network"),
    Field("enhanced_ratio", \.enhancedRatio, in: 0..., "guidance folded into the target"),
    Field(
      "target_ema_decay", \.targetEMADecay, in: 0...1,
      "EMA decay of the target network: 0 is the live one, 1 the initial one"
    ).was("average_rate"),
    Field("twin", \.twin, "whether the twin trajectory's losses are added to RCGM's"),
  ]
}

extension TutorialSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "tutorial"

  /// The description in the reference.
  public static let summary = "The version for small networks: every loss on the whole batch."

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { TutorialTwinFlow(self, batch: batch) }

  /// Whether a loss evaluates the network at negative times.
  public var needsTwin: Bool { twin }

  /// Whether guidance is folded in.
  public var needsConditions: Bool { enhancedRatio != 0 }
}
