import Recipe

/// The settings of an objective, as recipes name it.
///
/// A new objective is one file and one line in `Objectives.all`.
public protocol ObjectiveSettings: RecipeGroup, Hashable {
  /// The name in recipes.
  static var kind: String { get }

  /// The objective on batches of a size; nil for classification and detection, whose networks have no
  /// velocity.
  ///
  /// - Throws: `FlowError` for a batch that it cannot work on.
  func objective(batch: Int) throws -> (any Objective)?

  /// What kind of network it trains in place of a flow's, such as a classifier; nil for a flow's.
  static var supervised: String? { get }

  /// Whether the network learns target times other than the current one.
  var teachesAnyStep: Bool { get }

  /// Whether training starts from a trained network.
  var needsStart: Bool { get }

  /// Whether it evaluates the network with and without its condition.
  var needsConditions: Bool { get }

  /// Whether it trains on data, not only on the network's own samples.
  var needsData: Bool { get }

  /// Whether it trains the network at negative times.
  var needsTwin: Bool { get }

  /// Whether the network needs an output head of its own for negative times.
  var needsTwinHead: Bool { get }

  /// Whether elements of the data can have weights in its loss.
  var takesWeights: Bool { get }

  /// The layers of the network whose features a critic sees; none without a critic.
  var criticLayers: [Int] { get }

  /// A change of the embedded condition that marks the fake branch.
  var conditionShift: ConditionShift { get }

  /// How the network receives target times.
  var timeConvention: TimeConvention { get }
}

extension ObjectiveSettings {
  /// Most objectives train networks of flows.
  public static var supervised: String? { nil }
  /// Most objectives teach target times.
  public var teachesAnyStep: Bool { true }
  /// Most objectives can start from fresh weights.
  public var needsStart: Bool { false }
  /// Most objectives work without conditions.
  public var needsConditions: Bool { false }
  /// Most objectives train on data.
  public var needsData: Bool { true }
  /// Most objectives have no twin trajectory.
  public var needsTwin: Bool { false }
  /// Most objectives train one head.
  public var needsTwinHead: Bool { false }
  /// Most objectives weigh all elements equally.
  public var takesWeights: Bool { false }
  /// Most objectives have no critic.
  public var criticLayers: [Int] { [] }
  /// Most objectives leave the condition as it is.
  public var conditionShift: ConditionShift { ConditionShift() }
  /// Most networks have an embedder for target times.
  public var timeConvention: TimeConvention { .pair }
}

/// The objectives that recipes can name: one line each.
public enum Objectives: Catalogue {
  private static let all: [any ObjectiveSettings.Type] = [
    TwinFlowSettings.self,
    TutorialSettings.self,
    MeanFlowSettings.self,
    ConsistencySettings.self,
    ProgressiveSettings.self,
    DistributionMatchingSettings.self,
    TwinDistributionMatchingSettings.self,
    ScoreIdentitySettings.self,
    ClassificationSettings.self,
    DetectionSettings.self,
  ]

  /// The objectives' settings by their names.
  public static var entries: [(name: String, entry: any ObjectiveSettings.Type)] {
    all.map { ($0.kind, $0) }
  }
}

/// A training objective: any objective by its name and settings.
public struct ObjectiveConfig: Sendable {
  /// The settings.
  public let settings: any ObjectiveSettings

  /// Wraps settings.
  public init(_ settings: any ObjectiveSettings) { self.settings = settings }

  /// The name in recipes.
  public var kind: String { type(of: settings).kind }
}

extension ObjectiveConfig: Hashable {
  /// Whether two are the same objective with the same settings.
  public static func == (a: ObjectiveConfig, b: ObjectiveConfig) -> Bool {
    AnyHashable(a.settings) == AnyHashable(b.settings)
  }

  /// Hashes the objective and its settings.
  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(settings)) }
}

extension ObjectiveConfig: RecipeChoice {
  /// The objectives.
  public typealias List = Objectives

  /// The settings.
  public var group: any RecipeGroup { settings }

  private enum CodingKeys: String, CodingKey { case kind, preset }

  /// `kind`, and `preset` in its place.
  public static var choices: [RecipeTable.Row] {
    let names = Preset.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    return [
      kindRow,
      RecipeTable.Row(
        key: "preset", value: names, standard: "none",
        meaning: "in place of `kind`: the settings of a method; keys beside it override them"),
    ]
  }

  /// Reads `kind`, or `preset`, and the settings beside it, which replace the preset's.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if let preset: Preset = try keys.value(.preset, default: nil) {
      let standing = preset.settings
      try Self.refuseKeysOfOthers(than: type(of: standing).kind, from: decoder)
      settings = try standing.replaced(from: decoder)
    } else {
      let kind: EntryName<Objectives> = try keys.value(.kind)
      try Self.refuseKeysOfOthers(than: kind.rawValue, from: decoder)
      settings = try kind.entry.init(from: decoder)
    }
  }
}
