@testable import Flow
import Foundation
import Recipe
import Tensors
import TestSupport
import Testing

/// Settings as recipes write them.
@Suite struct SettingsTests {
  @Test func absentKeysKeepTheirDefaults() throws {
    #expect(try read("{}") == TwinFlowSettings())
    #expect(try read("{}") == TutorialSettings())
    for count in [1, 2, 3, 4, 6, 8, 9, 30] {
      #expect(try read("steps: \(count)") == SamplerSettings.preset(count))
    }
  }

  @Test func everyKeyOfTwinFlowIsRead() throws {
    var settings = TwinFlowSettings()
    settings.groups = GroupWeights(
      endToEnd: 3, multiStep: 0.5, anyStep: 2, adversarial: 0, toData: 1)
    (settings.order, settings.firstStep) = (3, 0.02)
    settings.consistencyRatio = 0.75
    settings.enhancedRatio = 4
    settings.enhancedRange = .init(lower: 0.125, upper: 0.5)
    settings.timeDistribution = .init(a: 0.8, b: 1.2, scale: 0.95)
    settings.regressionLoss = .barron(alpha: 0.5, c: 0.01)
    settings.rectification = 0
    settings.targetEMADecay = 1
    settings.dataFree = true
    settings.timeConvention = .middle
    settings.conditionShift = ConditionShift(scale: -0.5, offset: 1)
    let yaml = """
      groups: {end_to_end: 3, multi_step: 0.5, any_step: 2, to_data: 1}
      order: 3
      first_step: 0.02
      first_step_solver: euler
      consistency_ratio: 0.75
      source: data
      enhanced_ratio: 4
      enhanced_range: [0.125, 0.5]
      time_distribution: [0.8, 1.2, 0.95]
      regression_loss: {kind: barron, alpha: 0.5, c: 0.01}
      rectification: 0
      target_ema_decay: 1
      data_free: true
      time_convention: middle
      condition_shift: [-0.5, 1]
      """
    #expect(try read(yaml) == settings)
    #expect(try keys(of: settings) == keys(in: yaml))
    #expect(try read(text(settings)) == settings)
    settings.regressionLoss = .l2
    (settings.source, settings.dataFree) = (.network, false)
    settings.firstStepSolver = .heun
    #expect(try read(text(settings)) == settings)
    (settings.source, settings.targetEMADecay) = (.mixed, 0.9)
    #expect(try read(text(settings)) == settings)
  }

  @Test func everyKeyOfTheTutorialIsRead() throws {
    var settings = TutorialSettings()
    (settings.order, settings.enhancedRatio) = (1, 0.25)
    (settings.targetEMADecay, settings.twin) = (0.5, false)
    let yaml = "order: 1\nenhanced_ratio: 0.25\ntarget_ema_decay: 0.5\ntwin: false"
    #expect(try read(yaml) == settings)
    #expect(try keys(of: settings) == keys(in: yaml))
    #expect(try read(text(settings)) == settings)
  }

  @Test func everyKeyOfTwinDistributionMatchingIsRead() throws {
    var settings = TwinDistributionMatchingSettings()
    (settings.interval, settings.fakeWeight) = (3, 0.5)
    (settings.simulationSteps, settings.guidance) = (2, 3)
    let yaml = "interval: 3\nfake_weight: 0.5\nsimulation_steps: 2\nguidance: 3"
    #expect(try read(yaml) == settings)
    #expect(try keys(of: settings) == keys(in: yaml))
    #expect(try read(text(settings)) == settings)
    #expect(try read("{}") == TwinDistributionMatchingSettings())
  }

  @Test(arguments: [
    ("interval: 0", "`interval`"), ("fake_weight: 0", "above 0"),
    ("simulation_steps: 0", "from 1 to 4"), ("simulation_steps: 5", "from 1 to 4"),
    ("guidance: -1", "`guidance`"), ("fake_learning_rate: 1", "`fake_learning_rate`"),
  ])
  func impossibleTwinDistributionMatchingNamesTheKey(_ yaml: String, _ key: String) {
    expectError(yaml, naming: key, TwinDistributionMatchingSettings.self)
  }

  @Test(arguments: ["tangent_warmup: -1", "tangent_warmup: 0.5", "tangent_warmup: 4294967296"])
  func impossibleWarmUpNamesTheKey(_ yaml: String) {
    expectError(yaml, naming: "`tangent_warmup`", ConsistencySettings.self)
  }

  @Test func everyKeyOfTheSamplerIsRead() throws {
    var settings = SamplerSettings()
    (settings.count, settings.style, settings.order) = (6, .multi, 2)
    (settings.stochasticity, settings.extrapolation) = (.sde, 0.3)
    (settings.grid, settings.gaps) = ([1.17, 0.8, 1.1], [0.01, 0.25])
    let yaml = """
      steps: 6
      style: multi
      stochasticity: sde
      extrapolation: 0.3
      order: 2
      grid: [1.17, 0.8, 1.1]
      gaps: [0.01, 0.25]
      """
    #expect(try read(yaml) == settings)
    #expect(try keys(of: settings) == keys(in: yaml))
    #expect(try read(text(settings)) == settings)
    settings.stochasticity = .ratio(0.5)
    #expect(try read(text(settings)) == settings)
    settings = .preset(6)
    settings.stochasticity = .ratio(0.5)
    #expect(try read("{steps: 6, stochasticity: 0.5}") == settings)
  }

  @Test func everyKeyOfMeanFlowIsRead() throws {
    var settings = MeanFlowSettings()
    (settings.form, settings.farShare, settings.stepRatio) = (.solution, 0.5, 0.1)
    settings.timeDistribution = .logitNormal(LogitNormal(mean: -1, deviation: 0.5))
    (settings.reduction, settings.weightPower, settings.weightOffset) = (.mean, 0.75, 0.01)
    (settings.guidance, settings.guidanceMix) = (0.75, 0.5)
    let yaml = """
      form: solution
      far_share: 0.5
      time_distribution: [-1, 0.5]
      step_ratio: 0.1
      reduction: mean
      weight_power: 0.75
      weight_offset: 0.01
      guidance: 0.75
      guidance_mix: 0.5
      """
    #expect(try read(yaml) == settings)
    #expect(try keys(of: settings) == keys(in: yaml))
    #expect(try read(text(settings)) == settings)
  }

  @Test func timesHaveANormalLogitOrABetaDistribution() throws {
    var settings = ConsistencySettings()
    settings.timeDistribution = .beta(BetaDistribution(a: 0.8, b: 1.5, scale: 0.5))
    #expect(try read("time_distribution: [0.8, 1.5, 0.5]") == settings)
    #expect(try read(text(settings)) == settings)
    #expect(try read("time_distribution: [-1, 1.4]") == ConsistencySettings())
    for text in ["[1]", "[1, 1, 1, 1]", "[0, 0]", "[0, 1, 1]", "[1, 1, 2]"] {
      expectError(
        "time_distribution: \(text)", naming: "`time_distribution`", ConsistencySettings.self)
    }
    let drawn = try evaluate(Named()) { _ in
      Named([
        ("beta", TimeDistribution.beta(BetaDistribution(a: 0.8, scale: 0.5))),
        ("normal", .logitNormal(LogitNormal(mean: 1, deviation: 0.5))),
      ]).mapValues { $0.draw(Key(seed: 1), [10000]) }
    }
    func share(_ name: String, below limit: Double) -> Double {
      Double(drawn[name]!.values.count { $0 < limit }) / 10000
    }
    // The distribution of Beta(a, 1) is x^a.
    for x in [0.1, 0.25, 0.4] { #expect(abs(share("beta", below: x) - pow(2 * x, 0.8)) < 0.02) }
    #expect(share("beta", below: 0.5001) == 1 && share("beta", below: 0) == 0)
    // Half of a normal distribution lies below its mean, .841 below one deviation above it.
    for (logit, expected) in [(1, 0.5), (1.5, 0.841)] {
      #expect(abs(share("normal", below: 1 / (1 + exp(-logit))) - expected) < 0.02)
    }
  }

  @Test func theDeviationOfTheDataIsOfTheTrigonometricPath() throws {
    var settings = ConsistencySettings()
    (settings.parametrization, settings.dataDeviation) = (.trigonometric, 0.5)
    let yaml = "parametrization: trigonometric\ndata_deviation: 0.5"
    #expect(try read(yaml) == settings)
    #expect(try read(text(settings)) == settings)
    expectError("data_deviation: 0.5", naming: "`data_deviation`", ConsistencySettings.self)
    expectError("reduction: median", naming: "`reduction`", MeanFlowSettings.self)
  }

  /// What cannot be, and what the message must name.
  static let impossible: [(String, String)] = [
    ("order: -1", "`order`"), ("order: 17", "`order`"), ("order: 1.5", "`order`"),
    ("consistency_ratio: 1.5", "`consistency_ratio`"),
    ("enhanced_ratio: -1", "`enhanced_ratio`"), ("enhanced_range: [1, 0]", "`enhanced_range`"),
    ("enhanced_range: [0]", "`enhanced_range`"),
    ("time_distribution: [0, 1, 1]", "`time_distribution`"),
    ("time_distribution: [1, 1, 2]", "`time_distribution`"),
    ("time_distribution: [1, 1]", "`time_distribution`"),
    ("rectification: -0.1", "`rectification`"), ("target_ema_decay: 2", "`target_ema_decay`"),
    ("data_free: true", "`data_free`"), ("order: 0\ngroups: {any_step: 1}", "`order`"),
    ("groups: {multi_step: 1, adversarial: 1}\nrectification: 0", "`order`"),
    ("consistency_ratio: 0", "`order`"), ("consistency_ratio: 0.5", "`rectification`"),
    ("groups: {any_step: 1}", "`rectification`"),
    ("data_free: true\ntarget_ema_decay: 1\nenhanced_ratio: 0", "`enhanced_ratio`"),
    ("data_free: true\ntarget_ema_decay: 1\nsource: network", "`source`"),
    ("first_step_solver: heun", "`first_step_solver`"),
    ("source: mixed\ntarget_ema_decay: 1", "`source`"),
    ("source: mixed\ngroups: {end_to_end: 1, adversarial: 1}", "`source`"),
    ("source: network\nenhanced_ratio: 0", "`enhanced_ratio`"), ("source: teacher", "`source`"),
    ("time_convention: middle\norder: 1", "`order`"),
    ("time_convention: middle\ngroups: {end_to_end: 1, adversarial: 1}", "`order`"),
    ("groups: {any_step: 0}", "`groups`"), ("groups: {multi_step: -1}", "`groups.multi_step`"),
    ("groups: {fake: 1}", "`fake`"), ("regression_loss: {kind: l3}", "`regression_loss.kind`"),
    ("regression_loss: {kind: barron, c: 0}", "`regression_loss.c`"),
    ("regression_loss: {kind: barron, alpha: 3}", "`regression_loss.alpha`"),
    ("regression_loss: {kind: l2, alpha: 1}", "`alpha`"), ("ordre: 1", "`order`"),
  ]

  @Test(arguments: impossible)
  func impossibleTwinFlowSettingsNameTheKey(_ yaml: String, _ key: String) {
    expectError(yaml, naming: key, TwinFlowSettings.self)
  }

  static let impossibleTutorial: [(String, String)] = [
    ("order: 0", "`order`"), ("enhanced_ratio: -1", "`enhanced_ratio`"),
    ("target_ema_decay: -0.5", "`target_ema_decay`"), ("twin: 1", "`twin`"),
  ]

  @Test(arguments: impossibleTutorial)
  func impossibleTutorialSettingsNameTheKey(_ yaml: String, _ key: String) {
    expectError(yaml, naming: key, TutorialSettings.self)
  }

  static let impossibleSampler: [(String, String)] = [
    ("{}", "`steps`"), ("steps: 0", "`steps`"), ("{steps: 1, style: some}", "`style`"),
    ("{steps: 1, stochasticity: 1.5}", "`stochasticity`"),
    ("{steps: 1, stochasticity: often}", "`stochasticity`"),
    ("{steps: 1, extrapolation: -1}", "`extrapolation`"), ("{steps: 1, order: 3}", "`order`"),
    ("{steps: 1, grid: [1, 1]}", "`grid`"), ("{steps: 1, grid: [1, 0, 1]}", "`grid`"),
    ("{steps: 1, gaps: [0.6, 0.5]}", "`gaps`"), ("{steps: 1, gaps: [0, 1]}", "`gaps`"),
    ("{steps: 1, gap: 0}", "`gap`"),
  ]

  @Test(arguments: impossibleSampler)
  func impossibleSamplerSettingsNameTheKey(_ yaml: String, _ key: String) {
    expectError(yaml, naming: key, SamplerSettings.self)
  }

  private func read<Value: Decodable>(
    _ yaml: String, _: Value.Type = Value.self
  ) throws -> Value {
    try RecipeDecoder.decode(yaml: yaml, file: "test.yaml")
  }

  /// What is written, as JSON, which is YAML too.
  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
  }

  private func keys(of value: some Encodable) throws -> Set<String> {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
    return Set((object as? [String: Any] ?? [:]).keys)
  }

  private func keys(in yaml: String) -> Set<String> {
    Set(yaml.split(separator: "\n").map { String($0.prefix { $0 != ":" }) })
  }

  private func expectError<Value: Decodable>(
    _ yaml: String, naming key: String, _ type: Value.Type,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: RecipeError.self, sourceLocation: sourceLocation) {
      _ = try read(yaml, type)
    }
    let message = error?.description ?? ""
    #expect(message.contains(key), "\(message)", sourceLocation: sourceLocation)
  }
}
