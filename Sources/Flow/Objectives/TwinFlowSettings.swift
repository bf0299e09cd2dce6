import Recipe

/// The settings of the TwinFlow objective for large models.
public struct TwinFlowSettings: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of keys.
  public static let renamed = [
    "average_rate": "target_ema_decay", "distance": "regression_loss",
  ]

  /// The relative sizes of the parts of the batch.
  public var groups = GroupWeights()
  /// N of RCGM: how many steps the target network takes; 0 leaves RCGM out.
  public var order = 2
  /// How far the target time may lie from the current one, as a part of it: 1 is all the way.
  public var consistencyRatio = 1.0
  /// Guidance that is folded into the training target.
  public var enhancedRatio = 0.8
  /// The times, both ends excluded, at which the target is enhanced.
  public var enhancedRange = TimeRange()
  /// How current times are drawn.
  public var timeDistribution = TimeDistribution()
  /// How far a prediction is from its target.
  public var regressionLoss = RegressionLoss.barron()
  /// The weight of the rectification loss; 0 leaves it out.
  public var rectification = 0.5
  /// The rate of the target network's average: 0 is the live network, 1 the initial one.
  public var targetEMADecay = 0.99
  /// Whether the network's own one-step samples stand in for data.
  public var dataFree = false
  /// How the network is told of the target time.
  public var timeConvention = TimeConvention.pair

  /// Makes the settings of the published recipe for large models.
  public init() {}

  /// Where guidance is folded in.
  public struct TimeRange: Codable, Hashable, Sendable {
    /// Times above this one.
    public var lower = 0.0
    /// Times below this one.
    public var upper = 1.0

    /// Makes a range.
    public init(lower: Double = 0, upper: Double = 1) {
      self.lower = lower
      self.upper = upper
    }

    /// Reads `[lower, upper]`.
    public init(from decoder: any Decoder) throws {
      let ends = try [Double](from: decoder)
      guard ends.count == 2, ends[0] <= ends[1] else {
        throw InvalidRecipeValue(ends, "it must be two times, the lower one first, as in [0, 1]")
      }
      self.init(lower: ends[0], upper: ends[1])
    }

    /// Writes `[lower, upper]`.
    public func encode(to encoder: any Encoder) throws { try [lower, upper].encode(to: encoder) }
  }

  /// A beta distribution, clamped to [0, 1] and scaled.
  public struct TimeDistribution: Codable, Hashable, Sendable {
    /// The first parameter of the beta distribution.
    public var a = 1.0
    /// The second parameter of the beta distribution.
    public var b = 1.0
    /// What the draws are multiplied with.
    public var scale = 1.0

    /// Makes a distribution, by default the uniform one.
    public init(a: Double = 1, b: Double = 1, scale: Double = 1) {
      self.a = a
      self.b = b
      self.scale = scale
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
  }
}

extension TwinFlowSettings {
  enum CodingKeys: String, CodingKey {
    case groups, order
    case consistencyRatio = "consistency_ratio"
    case enhancedRatio = "enhanced_ratio"
    case enhancedRange = "enhanced_range"
    case timeDistribution = "time_distribution"
    case rectification
    case regressionLoss = "regression_loss"
    case targetEMADecay = "target_ema_decay"
    case dataFree = "data_free"
    case timeConvention = "time_convention"
  }

  /// Reads the settings; keys that are absent keep their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws { try self.init(from: decoder, else: Self()) }

  /// Reads the settings; keys that are absent are taken from others, such as a preset's.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder, else standard: Self) throws {
    self = standard
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    groups = try keys.value(.groups, default: groups)
    order = try keys.value(.order, default: order, in: 0...16)
    consistencyRatio = try keys.value(.consistencyRatio, default: consistencyRatio, in: 0...1)
    enhancedRatio = try keys.value(.enhancedRatio, default: enhancedRatio, in: 0...)
    enhancedRange = try keys.value(.enhancedRange, default: enhancedRange)
    timeDistribution = try keys.value(.timeDistribution, default: timeDistribution)
    regressionLoss = try keys.value(.regressionLoss, default: regressionLoss)
    rectification = try keys.value(.rectification, default: rectification, in: 0...)
    targetEMADecay = try keys.value(.targetEMADecay, default: targetEMADecay, in: 0...1)
    dataFree = try keys.value(.dataFree, default: dataFree)
    timeConvention = try keys.value(.timeConvention, default: timeConvention)
    guard groups.list.contains(where: { $0 > 0 }) else {
      throw InvalidRecipeValue(
        CodingKeys.groups, "all 0", "one group at least needs a weight above 0")
    }
    if dataFree, targetEMADecay != 1 {
      throw InvalidRecipeValue(
        CodingKeys.dataFree, dataFree,
        "without data the target network must be the initial one: set target_ema_decay to 1")
    }
    if dataFree, enhancedRatio == 0 {
      throw InvalidRecipeValue(
        CodingKeys.enhancedRatio, enhancedRatio,
        "without data the enhanced target is all that the initial network teaches: set it to 1 for "
          + "its flow as it is, or to 4 for guidance")
    }
    if timeConvention == .middle, order == 1, groups.toData == 0 || groups.anyStep > 0 {
      throw InvalidRecipeValue(
        CodingKeys.order, order,
        "with one time, order 1 needs the group to_data and no any_step: "
          + "set groups to {end_to_end: 1, multi_step: 1, adversarial: 1, to_data: 1}")
    }
    if timeConvention == .middle, order > 1, groups.anyStep == 0 {
      throw InvalidRecipeValue(
        CodingKeys.order, order,
        "with one time, orders above 1 need the group any_step: "
          + "set groups to {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}")
    }
    if order == 0, groups.multiStep == 0, groups.adversarial == 0 {
      throw InvalidRecipeValue(
        CodingKeys.order, order,
        "order 0 trains the multi_step and adversarial groups alone, and both weights are 0: set "
          + "order to 2, or groups to {multi_step: 1}")
    }
    if order > 0, groups.endToEnd == 0, groups.anyStep == 0, groups.toData == 0 {
      throw InvalidRecipeValue(
        CodingKeys.order, order,
        "without end_to_end, any_step and to_data there is no far target time to go to in steps: "
          + "set order to 0, or groups to {end_to_end: 1, multi_step: 1, any_step: 1}")
    }
    if order > 0, consistencyRatio == 0 {
      throw InvalidRecipeValue(
        CodingKeys.order, order,
        "with a consistency_ratio of 0 there is no way to go in steps: set order to 0, or "
          + "consistency_ratio to 1")
    }
    if rectification > 0, consistencyRatio != 1 || groups.endToEnd == 0 {
      throw InvalidRecipeValue(
        CodingKeys.rectification, rectification,
        "rectification works on one-step samples: set it to 0, or consistency_ratio to 1 and "
          + "groups to {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}")
    }
  }
}

extension GroupWeights {
  enum CodingKeys: String, CodingKey {
    case endToEnd = "end_to_end"
    case multiStep = "multi_step"
    case anyStep = "any_step"
    case adversarial
    case toData = "to_data"
  }

  /// Reads the weights; groups that are absent get none.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      endToEnd: try keys.weight(.endToEnd),
      multiStep: try keys.weight(.multiStep),
      anyStep: try keys.weight(.anyStep),
      adversarial: try keys.weight(.adversarial),
      toData: try keys.weight(.toData))
  }
}

extension KeyedDecodingContainer<GroupWeights.CodingKeys> {
  /// The weight of a group: 0, or one that leaves the others' sizes within reach.
  fileprivate func weight(_ key: Key) throws -> Double {
    try value(
      key, default: 0, where: { $0 == 0 || (1e-6...1e6).contains($0) },
      "it must be 0, or from 0.000001 to 1000000")
  }
}

extension RegressionLoss: Codable {
  enum CodingKeys: String, CodingKey { case kind, alpha, c }
  private enum Kind: String, Codable, CaseIterable { case l2, barron }

  /// Reads `{kind: l2}` or `{kind: barron, alpha: 1, c: 0.001}`.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    switch try keys.value(.kind) as Kind {
    case .l2: self = .l2
    case .barron:
      self = .barron(
        alpha: try keys.value(.alpha, default: 1, in: -100...2),
        c: try keys.value(.c, default: 1e-3, where: { $0 > 0 }, "it must be above 0"))
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .l2: try keys.encode(Kind.l2, forKey: .kind)
    case .barron(let alpha, let c):
      try keys.encode(Kind.barron, forKey: .kind)
      try keys.encode(alpha, forKey: .alpha)
      try keys.encode(c, forKey: .c)
    }
  }
}

/// The settings of the TwinFlow objective for small networks.
public struct TutorialSettings: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of keys.
  public static let renamed = ["average_rate": "target_ema_decay"]

  /// N of RCGM: how many steps the target network takes.
  public var order = 2
  /// Guidance that is folded into the training target.
  public var enhancedRatio = 0.5
  /// The rate of the target network's average: 0 is the live network, 1 the initial one.
  public var targetEMADecay = 0.99
  /// Whether the twin trajectory's losses are added to RCGM's.
  public var twin = true

  /// Makes the settings of the published tutorial.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case order
    case enhancedRatio = "enhanced_ratio"
    case targetEMADecay = "target_ema_decay"
    case twin
  }

  /// Reads the settings; keys that are absent keep their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    order = try keys.value(.order, default: order, in: 1...16)
    enhancedRatio = try keys.value(.enhancedRatio, default: enhancedRatio, in: 0...)
    targetEMADecay = try keys.value(.targetEMADecay, default: targetEMADecay, in: 0...1)
    twin = try keys.value(.twin, default: twin)
  }
}

extension TwinFlowSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "twinflow"

  /// These settings, such as a preset's, with those that a recipe replaces.
  public func replaced(from decoder: any Decoder) throws -> Self {
    try Self(from: decoder, else: self)
  }

  /// The objective on batches of a size.
  public func objective(batch: Int) throws -> (any Objective)? { try TwinFlow(self, batch: batch) }

  /// Whether RCGM, which teaches target times, is part of it.
  public var teachesAnyStep: Bool { order > 0 && consistencyRatio > 0 }

  /// Whether guidance is folded in; without data it only sharpens.
  public var needsConditions: Bool { enhancedRatio != 0 && !dataFree }
}

extension TutorialSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "tutorial"

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { TutorialTwinFlow(self, batch: batch) }

  /// Whether guidance is folded in.
  public var needsConditions: Bool { enhancedRatio != 0 }
}
