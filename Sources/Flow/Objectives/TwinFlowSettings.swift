import Recipe

/// The settings of the TwinFlow objective for large models.
public struct TwinFlowSettings: Hashable, Sendable {
  /// The relative sizes of the groups of rows of a batch.
  public var groups = GroupWeights()
  /// N of RCGM: the steps of the target network; 0 leaves RCGM out.
  public var order = 2
  /// The length of RCGM's first step along the path to the data.
  public var firstStep = 0.01
  /// The solver of the first step where the target network gives its velocity.
  public var firstStepSolver = Solver.euler
  /// The largest distance of the target time from the current one, as a fraction of the latter.
  public var consistencyRatio = 1.0
  /// Where the velocity that rows with data follow comes from.
  public var source = Source.data
  /// Guidance that is folded into the training target.
  public var enhancedRatio = 0.8
  /// The times, ends excluded, at which guidance is folded into the target.
  public var enhancedRange = TimeRange()
  /// The distribution of current times.
  public var timeDistribution = BetaDistribution()
  /// The loss between a prediction and its target.
  public var regressionLoss = RegressionLoss.barron()
  /// The weight of the rectification loss; 0 leaves it out.
  public var rectification = 0.5
  /// The EMA decay of the target network: 0 is the live network, 1 the initial one.
  public var targetEMADecay = 0.99
  /// Whether one-step samples of the network replace data.
  public var dataFree = false
  /// What marks the fake branch in place of negative times.
  public var conditionShift = ConditionShift()
  /// How the network receives the target time.
  public var timeConvention = TimeConvention.pair

  /// Makes the settings of the published recipe for large models.
  public init() {}

  /// Where a velocity comes from.
  public enum Source: String, Codable, Hashable, Sendable, CaseIterable {
    /// The path to the sample, as published.
    case data
    /// The target network, which knows the mean of all paths; with a decay of 1 it is the initial one, which
    /// is distilled.
    case network
    /// On multi-step rows the path to the sample, on all others the target network, which learns from those.
    case mixed
  }

  /// A solver of the flow's differential equation.
  public enum Solver: String, Codable, Hashable, Sendable, CaseIterable {
    /// The velocity at the point itself, whose error over a step is of second order.
    case euler
    /// The mean of that and the velocity at the end of Euler's step, whose error is of third order.
    case heun
  }

  /// An open range of times.
  public struct TimeRange: Codable, Hashable, Sendable, RecipeForm {
    /// Two numbers.
    public static let form = "`[lower, upper]`"

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
}

extension TwinFlowSettings {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("groups", \.groups, "relative sizes of groups"),
    Field(
      "order", \.order, in: 0...16, "N of RCGM: steps of the target network; 0 leaves RCGM out"),
    Field(
      "first_step", \.firstStep, in: 0.001...1,
      "length of RCGM's first step: a longer one follows the data more"),
    Field(
      "first_step_solver", \.firstStepSolver,
      "solver of the first step, but for source data"),
    Field(
      "consistency_ratio", \.consistencyRatio, in: 0...1,
      "largest distance of the target time, as a fraction of the current one"),
    Field(
      "source", \.source,
      "rows follow the path (data), the target network, or both"),
    Field(
      "enhanced_ratio", \.enhancedRatio, in: 0...,
      "guidance in the target: in the end w / (1 - w); without data the scale"),
    Field(
      "enhanced_range", \.enhancedRange, "times, ends excluded, at which guidance is folded in"),
    Field(
      "time_distribution", \.timeDistribution,
      "times are Beta(a, b), clamped to [0, 1], times the scale"),
    Field("regression_loss", \.regressionLoss, "loss between a prediction and its target")
      .was("distance"),
    Field(
      "rectification", \.rectification, in: 0...,
      "weight of the rectification loss; it needs consistency_ratio 1"),
    Field(
      "target_ema_decay", \.targetEMADecay, in: 0...1,
      "EMA decay of the target network: 0 is the live one, 1 the initial one"
    ).was("average_rate"),
    Field(
      "data_free", \.dataFree,
      "one-step samples of the network replace data; needs target_ema_decay 1"),
    Field(
      "condition_shift", \.conditionShift,
      "marks the fake branch in place of negative times, as in APEX"),
    Field(
      "time_convention", \.timeConvention, "pair: both times; middle: the one time t - tt/2"),
  ]

  /// Checks that the settings fit each other.
  public func validate() throws {
    guard groups.list.contains(where: { $0 > 0 }) else {
      throw invalid(
        \.groups, found: "all 0", "one group at least needs a weight above 0")
    }
    if dataFree, targetEMADecay != 1 {
      throw invalid(
        \.dataFree,
        "without data the target network must be the initial one: set target_ema_decay to 1")
    }
    if dataFree, enhancedRatio == 0 {
      throw invalid(
        \.enhancedRatio,
        "without data the initial network teaches only the enhanced target: set it to 1 for its "
          + "flow as it is, or to 4 for guidance")
    }
    if source != .data, dataFree {
      throw invalid(
        \.source, "without data the initial network is the source already: leave out source")
    }
    if source == .network, enhancedRatio == 0 {
      throw invalid(
        \.enhancedRatio,
        "with the network as the source it is the scale of guidance: set it to 1 for none, or to 2")
    }
    if source == .mixed, groups.multiStep == 0 {
      throw invalid(
        \.source,
        "the target network learns from data on multi_step rows, which have no weight: set groups to "
          + "{end_to_end: 2, multi_step: 1, to_data: 1, adversarial: 1}")
    }
    if source == .mixed, targetEMADecay == 1 {
      throw invalid(
        \.source,
        "the initial network learns nothing from data: set target_ema_decay to 0.99, or source "
          + "to network")
    }
    if firstStepSolver == .heun, source == .data {
      throw invalid(
        \.firstStepSolver,
        "the path to a sample is straight, so that Euler's step is exact: set source to network or "
          + "mixed, or first_step_solver to euler")
    }
    if timeConvention == .middle, order == 1, groups.toData == 0 || groups.anyStep > 0 {
      throw invalid(
        \.order,
        "with one time, order 1 needs the group to_data and no any_step: "
          + "set groups to {end_to_end: 1, multi_step: 1, adversarial: 1, to_data: 1}")
    }
    if timeConvention == .middle, order > 1, groups.anyStep == 0 {
      throw invalid(
        \.order,
        "with one time, orders above 1 need the group any_step: "
          + "set groups to {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}")
    }
    if order == 0, groups.multiStep == 0, groups.adversarial == 0 {
      throw invalid(
        \.order,
        "order 0 trains the multi_step and adversarial groups alone, and both weights are 0: set "
          + "order to 2, or groups to {multi_step: 1}")
    }
    if order > 0, groups.endToEnd == 0, groups.anyStep == 0, groups.toData == 0 {
      throw invalid(
        \.order,
        "without end_to_end, any_step and to_data there is no far target time to go to in steps: "
          + "set order to 0, or groups to {end_to_end: 1, multi_step: 1, any_step: 1}")
    }
    if order > 0, consistencyRatio == 0 {
      throw invalid(
        \.order,
        "with a consistency_ratio of 0 there is no way to go in steps: set order to 0, or "
          + "consistency_ratio to 1")
    }
    if rectification > 0, consistencyRatio != 1 || groups.endToEnd == 0 {
      throw invalid(
        \.rectification,
        "rectification works on one-step samples: set it to 0, or consistency_ratio to 1 and "
          + "groups to {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}")
    }
  }
}

extension GroupWeights: RecipeGroup {
  /// Weights of 0: absent groups get no rows.
  public static let defaults = GroupWeights(
    endToEnd: 0, multiStep: 0, anyStep: 0, adversarial: 0, toData: 0)

  /// Groups of rows that are left out beside a preset get no rows either.
  public static let isReplacedWhole = true

  /// The description in the reference.
  public static let summary = """
    The relative sizes of the groups of rows of a batch. Where `groups` is written out, absent ones are
    0. Rows are divided by largest remainder; a group with a weight but no row is an error.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    weight("end_to_end", \.endToEnd, "rows from noise to data in one step: (t, tt) = (1, 0)"),
    weight("multi_step", \.multiStep, "rows whose target time is the current one"),
    weight("any_step", \.anyStep, "rows with two random times"),
    weight("adversarial", \.adversarial, "rows of the network's own samples at negative times"),
    weight("to_data", \.toData, "rows from a drawn time to data in one step: tt = 0"),
  ]

  /// The weight of a group: 0, or one that leaves the others' sizes within reach.
  private static func weight(
    _ name: String, _ path: WritableKeyPath<Self, Double> & Sendable, _ meaning: String
  ) -> Field {
    Field(
      name, path, where: { $0 == 0 || (1e-6...1e6).contains($0) },
      else: "it must be 0, or from 0.000001 to 1000000", meaning)
  }
}

extension RegressionLoss: RecipeGroup {
  private enum Kind: String, Codable, CaseIterable { case l2, barron }

  /// The values of absent keys.
  public static let defaults = RegressionLoss.barron()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("kind", \.kind, "the mean square, or Barron's robust loss (2019)").required,
    Field("alpha", \.alpha, in: -100...2, "its shape; 2 is the mean square over c")
      .when("`kind: barron`") { $0.kind == .barron },
    Field(
      "c", \.c, where: { $0 > 0 }, else: "it must be above 0",
      "its scale: the loss is quadratic below it"
    ).when("`kind: barron`") { $0.kind == .barron },
  ]

  private var kind: Kind {
    get { self == .l2 ? .l2 : .barron }
    set { self = newValue == .l2 ? .l2 : .barron() }
  }

  private var parameters: (alpha: Double, c: Double) {
    if case .barron(let alpha, let c) = self { (alpha, c) } else { (1, 1e-3) }
  }

  private var alpha: Double {
    get { parameters.alpha }
    set { self = .barron(alpha: newValue, c: c) }
  }

  private var c: Double {
    get { parameters.c }
    set { self = .barron(alpha: alpha, c: newValue) }
  }
}

extension TwinFlowSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "twinflow"

  /// The description in the reference.
  public static let summary = """
    The objective for large models: each row of a batch serves one loss. Flow matching and RCGM are
    settings of it. Order 0 trains the groups `multi_step` and `adversarial` alone. The convention
    `middle` is that of the published version for LoRA; with it order 1 needs the group `to_data`
    and not `any_step`, higher orders `any_step`.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) throws -> (any Objective)? { try TwinFlow(self, batch: batch) }

  /// Whether RCGM, which teaches target times, is part of it.
  public var teachesAnyStep: Bool { order > 0 && consistencyRatio > 0 }

  /// Whether data are more than prompts.
  public var needsData: Bool { !dataFree }

  /// Elements can have weights, except on rows of the network's own samples.
  public var takesWeights: Bool { true }

  /// Whether a loss evaluates the network at negative times.
  public var needsTwin: Bool { groups.adversarial > 0 || rectification > 0 }

  /// Whether guidance is folded in; without data it only sharpens.
  public var needsConditions: Bool {
    enhancedRatio != 0 && !dataFree && !(source == .network && enhancedRatio == 1)
  }
}
