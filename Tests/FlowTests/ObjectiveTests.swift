import Flow
import Foundation
import Tensors
import TestSupport
import Testing

/// Properties of the objectives beside the published numbers.
@Suite struct ObjectiveTests {
  @Test("Flow matching is a special case: multi-step rows, consistency 0, order 0")
  func flowMatching() throws {
    var settings = TwinFlowSettings()
    settings.groups = GroupWeights(endToEnd: 0, multiStep: 1, anyStep: 0, adversarial: 0)
    (settings.order, settings.consistencyRatio, settings.enhancedRatio) = (0, 0, 0)
    settings.regressionLoss = .l2
    settings.targetEMADecay = 0
    let objective = try TwinFlow(settings, batch: 6)
    let results = try evaluate(Self.inputs(6)) { inputs in
      let networks = Networks(live: Self.network(inputs), target: Missing())
      let draws = objective.draws(Key(seed: 1), inputs["x"]!.type)
      let loss = objective(networks, Self.samples(inputs), draws)
      // x_t = t·z + (1 − t)·x and the mean square from z − x, with every row's weight at t = tt.
      let (x, z, t) = (inputs["x"]!, draws.noise, draws.time)
      let point = x + t.expanded([1]) * (z - x)
      let velocity = networks.live(
        point, time: t, target: t, condition: Self.samples(inputs).condition)
      let plain = (velocity - (z - x)).squared().mean() * (tan(Double.pi / 2.5) + 1)
      var all = loss.metrics.prefixed("metrics")
      all["plain"] = plain
      all["gap"] = loss.details["t"]! - loss.details["tt"]!
      let pairs = zip(Self.gradients(loss.total, inputs), Self.gradients(plain, inputs))
      for (i, pair) in pairs.enumerated() {
        (all["gradient\(i)"], all["expected\(i)"]) = pair
      }
      return all
    }
    #expect(results.group("metrics").names == ["multi_step", "loss"])
    #expect(results["gap"]!.values.allSatisfy { $0 == 0 })
    expectNear(results["metrics.loss"]!, results["plain"]!)
    for i in 0..<6 {
      expectNear(results["gradient\(i)"]!, results["expected\(i)"]!, relative: 1e-4)
    }
  }

  @Test("RCGM is a special case: no adversarial rows, no rectification")
  func rcgm() throws {
    var settings = TwinFlowSettings()
    settings.groups = GroupWeights(endToEnd: 1, multiStep: 1, anyStep: 1, adversarial: 0)
    settings.rectification = 0
    let objective = try TwinFlow(settings, batch: 6)
    let results = try evaluate(Self.inputs(6)) { inputs in
      let network = Self.network(inputs)
      let loss = objective(
        Networks(live: network, target: network), Self.samples(inputs), key: Key(seed: 1))
      return loss.metrics.prefixed("metrics").merging(loss.details.prefixed("details"))
    }
    #expect(
      results.group("metrics").names == ["end_to_end", "multi_step", "any_step", "loss"])
    let (each, weights) = (results["details.per_sample"]!, results["details.weights"]!)
    let mean = zip(each.values, weights.values).reduce(0) { $0 + $1.0 * $1.1 } / 6
    expectClose(results["metrics.loss"]!.values, [mean], relative: 1e-5)
    #expect(results["details.t"]!.values.allSatisfy { $0 >= 0 })
    #expect(results["details.difference"] == nil)
  }

  @Test(
    "RCGM's first step follows the path, the target network goes on", arguments: [0.01, 0.25, 1])
  func firstStep(length: Double) throws {
    var settings = TwinFlowSettings()
    settings.groups = GroupWeights(endToEnd: 1, multiStep: 0, anyStep: 0, adversarial: 0)
    (settings.order, settings.firstStep, settings.rectification) = (1, length, 0)
    settings.enhancedRatio = 0
    let objective = try TwinFlow(settings, batch: 4)
    let results = try evaluate(Self.inputs(4)) { inputs in
      let (live, target) = (Self.network(inputs), Self.network(inputs))
      let loss = objective(
        Networks(live: live, target: target), Self.samples(inputs), key: Key(seed: 1))
      let (flow, velocity) = (loss.details["flow"]!, loss.details["velocity"]!)
      let time = loss.details["t"]!
      let rest = target(
        loss.details["x_t"]! - flow * length, time: time - length, target: time.zerosLike,
        condition: Self.samples(inputs).condition)
      let residual = (velocity - flow * length - rest * (1 - length)) * (1 / length)
      return Named([
        ("found", loss.details["regression"]!), ("flow", flow),
        ("expected", velocity - residual.clamped(-1...1)),
        ("direct", velocity - (velocity - flow).clamped(-1...1)),
      ])
    }
    expectNear(results["found"]!, results["expected"]!, relative: 1e-4)
    // A first step all the way is flow matching.
    if length == 1 { expectNear(results["found"]!, results["direct"]!, relative: 1e-5) }
  }

  @Test("Guidance reaches the end-to-end rows only where the range goes beyond 1")
  func enhancedRange() throws {
    var settings = TwinFlowSettings()
    var changed: [[Bool]] = []
    for upper in [1.0, 1.5] {
      settings.enhancedRange = .init(lower: 0, upper: upper)
      let objective = try TwinFlow(settings, batch: 4)
      let results = try evaluate(Self.inputs(4)) { inputs in
        let network = Self.network(inputs)
        let loss = objective(
          Networks(live: network, target: network), Self.samples(inputs), key: Key(seed: 1))
        return loss.details.filter { ["flow", "enhanced"].contains($0) }
      }
      changed.append(
        (0..<4).map { results["flow"]!.row($0) != results["enhanced"]!.row($0) })
    }
    #expect(changed == [[false, true, true, false], [true, true, true, false]])
  }

  /// Times and the order of RCGM.
  static let times: [(Double, Int)] = [(0, 1), (0, 2), (0.3, 1), (0.3, 3), (1, 2)]

  @Test("Everything is finite where t = tt", arguments: times)
  func equalTimes(time: Double, order: Int) throws {
    var (settings, tutorial) = (TwinFlowSettings(), TutorialSettings())
    settings.order = order
    tutorial.order = order
    let results = try evaluate(Self.inputs(4)) { inputs in
      let networks = Networks(live: Self.network(inputs), target: Self.network(inputs))
      let type = inputs["x"]!.type
      let objective = TwinFlow(
        settings, partition: Partition(endToEnd: 1, multiStep: 1, anyStep: 1, adversarial: 1))
      var draws = objective.draws(Key(seed: 1), type)
      draws.time = .constant(time, .float32, shape: [4])
      draws.target = draws.time.zerosLike
      draws.near = draws.time.zerosLike
      let large = objective(networks, Self.samples(inputs), draws)
      let small = TutorialTwinFlow(tutorial, batch: 4)(
        networks, Self.samples(inputs),
        TutorialTwinFlow.Draws(
          time: draws.time, target: draws.target, noise: draws.noise,
          rectificationNoise: draws.noise, rectificationTime: draws.time))
      var all = large.details.prefixed("large").merging(small.details.prefixed("small"))
      for (name, loss) in [("large", large), ("small", small)] {
        all["\(name).loss"] = loss.total
        for (i, value) in Self.gradients(loss.total, inputs).enumerated() {
          all["\(name).gradient\(i)"] = value
        }
      }
      return all
    }
    #expect(results["small.t"] == results["small.tt"])
    for (name, value) in results.pairs {
      #expect(value.values.allSatisfy { $0.isFinite }, "\(name): \(value.values)")
    }
    // Nothing is left to integrate, so the target is the flow where the residual is not clamped.
    let (velocity, flow) = (results["small.velocity"]!, results["small.enhanced"]!)
    let expected = zip(velocity.values, flow.values).map { $0 - min(1, max(-1, $0 - $1)) }
    expectNear(results["small.regression"]!, Numbers(expected))
  }

  @Test func drawsDependOnlyOnTheKey() throws {
    func draws(_ seed: UInt64, _ change: (inout TwinFlowSettings) -> Void = { _ in }) throws
      -> [[Double]]
    {
      var settings = TwinFlowSettings()
      change(&settings)
      let objective = try TwinFlow(settings, batch: 8)
      return try evaluate { _ in
        let d = objective.draws(Key(seed: seed), TensorType([8, 3], .float32))
        return [
          d.time, d.target, d.near, d.fakeNoise, d.noise, d.rectificationNoise,
          d.rectificationTime, d.dataNoise,
        ]
      }.map(\.values)
    }
    let first = try draws(5)
    #expect(try draws(5) == first)
    let others = try draws(5) {
      ($0.order, $0.enhancedRatio, $0.targetEMADecay, $0.dataFree) = (0, 0, 1, true)
      ($0.regressionLoss, $0.consistencyRatio, $0.rectification) = (.l2, 0.5, 0)
    }
    #expect(others == first)
    let second = try draws(6)
    for (a, b) in zip(first, second) { #expect(a != b) }
    #expect(Set(first).count == first.count, "two draws are the same")
    for i in [0, 1, 2, 6] { #expect(first[i].allSatisfy { $0 > 0 && $0 < 1 }) }
    #expect(first.map(\.count) == [8, 8, 8, 6, 24, 6, 2, 24])
  }

  /// APEX: the fake branch has c' = a·c + b and positive times; all other evaluations have c.
  @Test func aShiftedConditionMarksTheFakeBranch() throws {
    var settings = TwinFlowSettings()
    settings.conditionShift = ConditionShift(scale: -0.5, offset: 1)
    let results = try evaluate(Self.inputs(8)) { inputs in
      let condition = Tensor.iota([8, 1], axis: 0, .float32) * 0.1
      let batch = Batch(
        data: inputs["x"]!, condition: Named([("c", condition)]),
        unconditional: Named([("c", condition.zerosLike)]))
      guard let objective = try? TwinFlow(settings, batch: 8) else { preconditionFailure() }
      let loss = objective(Networks(live: Echo(), target: Echo()), batch, key: Key(seed: 3))
      return loss.details.filter { ["velocity", "t", "tt", "difference", "enhanced"].contains($0) }
        .merging(Named([("flow", loss.details["flow"]!)]))
    }
    // Two rows a group; the adversarial ones are the last.
    for row in 0..<8 {
      let c = Double(row) * 0.1
      let expected = row < 6 ? c : 1 - 0.5 * c
      expectClose(
        results["velocity"]!.row(row).values, [Double](repeating: expected, count: 6),
        relative: 1e-6)
    }
    #expect(results["t"]!.values.allSatisfy { $0 >= 0 })
    #expect(results["t"]!.rows(6..<8).values == results["tt"]!.rows(6..<8).values)
    for row in 0..<2 {
      let c = Double(row) * 0.1
      expectClose(
        results["difference"]!.row(row).values,
        [Double](repeating: min(1, 1 - 0.5 * c - c), count: 6), relative: 1e-6)
    }
  }

  /// With the network as the source, real rows follow F∅ + w·(F − F∅), outside the range of times F, and
  /// fakes their path.
  @Test(arguments: [1.0, 1.8]) func rowsFollowTheNetwork(ratio: Double) throws {
    var settings = TwinFlowSettings()
    (settings.source, settings.enhancedRatio, settings.targetEMADecay) = (.network, ratio, 1)
    let results = try evaluate(Self.inputs(8)) { inputs in
      let condition = Tensor.iota([8, 1], axis: 0, .float32) * 0.1
      let batch = Batch(
        data: inputs["x"]!, condition: Named([("c", condition)]),
        unconditional: Named([("c", condition.zerosLike + 0.05)]))
      guard let objective = try? TwinFlow(settings, batch: 8) else { preconditionFailure() }
      let loss = objective(Networks(live: Echo(), target: Echo()), batch, key: Key(seed: 3))
      return loss.details.filter { ["enhanced", "flow"].contains($0) }
    }
    // Two rows a group; the first ones have t = 1, the last ones are fakes.
    for row in 0..<6 {
      let c = Double(row) * 0.1
      let expected = row < 2 ? c : 0.05 + ratio * (c - 0.05)
      expectClose(
        results["enhanced"]!.row(row).values, [Double](repeating: expected, count: 6),
        relative: 1e-5)
    }
    #expect(results["enhanced"]!.rows(6..<8).values == results["flow"]!.rows(6..<8).values)
  }

  @Test func theTutorialsEmptyConditionIsAnotherSamples() throws {
    // With the target network told the condition alone, guidance is the difference of conditions.
    var settings = TutorialSettings()
    settings.enhancedRatio = 1
    settings.twin = false
    let results = try evaluate(Self.inputs(16)) { inputs in
      let networks = Networks(live: Self.network(inputs), target: Echo())
      let batch = Batch(
        data: inputs["x"]!, condition: Named([("c", .iota([16, 1], .float32))]),
        unconditional: Named([("c", .constant(1e9, .float32, shape: [16, 1]))]))
      let loss = TutorialTwinFlow(settings, batch: 16)(
        Networks(live: Echo(), target: networks.target), batch, key: Key(seed: 3))
      return Named([("guidance", loss.details["enhanced"]! - loss.details["flow"]!)])
    }
    let taken = (0..<16).map { Double($0) - results["guidance"]!.row($0).values[0].rounded() }
    #expect(taken.sorted() == (0..<16).map(Double.init))
    #expect(taken != (0..<16).map(Double.init))
  }

  /// Objectives on 24 rows: all groups, groups of unequal sizes, RCGM alone, without data, in one time,
  /// and those whose every row serves every loss.
  static let accumulated: [any ObjectiveSettings] = {
    var settings = [TwinFlowSettings](repeating: TwinFlowSettings(), count: 4)
    settings[1].groups = GroupWeights(endToEnd: 1, multiStep: 2, anyStep: 1, adversarial: 0)
    (settings[2].dataFree, settings[2].targetEMADecay) = (true, 1)
    settings[3].timeConvention = .middle
    settings[3].groups = GroupWeights(toData: 2)
    var forms = MeanFlowSettings.Form.allCases.map { _ in MeanFlowSettings() }
    for (i, form) in MeanFlowSettings.Form.allCases.enumerated() { forms[i].form = form }
    var consistency = [ConsistencySettings](repeating: ConsistencySettings(), count: 2)
    (consistency[1].source, consistency[1].guidance) = (.teacher, 2)
    (consistency[1].derivative, consistency[1].tangent) = (.difference, .clamped)
    let list: [any ObjectiveSettings] =
      settings + [TutorialSettings(), DistributionMatchingSettings(), ScoreIdentitySettings()]
      + [TwinDistributionMatchingSettings()] + forms
    var critics = (DistributionMatchingSettings(), ConsistencySettings())
    critics.0.adversarial = AdversarialSettings(weight: 0.1)
    consistency[0].tangentWarmup = 10
    (critics.1.source, critics.1.adversarial) = (.teacher, AdversarialSettings(weight: 0.5))
    return list + consistency + [ProgressiveSettings(), critics.0, critics.1]
  }()

  @Test(
    "The mean of micro-batches is the batch", arguments: accumulated.indices,
    SlowTests.arguments([3], slow: [2]))
  func microBatches(_ index: Int, count: Int) throws {
    let rows = index == 3 ? 36 : 24
    let settings = Self.accumulated[index]
    let objective = try #require(try settings.objective(batch: rows))
    let results = try evaluate(Self.inputs(rows)) { inputs in
      let network = Self.network(inputs)
      let shifted = MLP(inputs.group("model").mapValues { $0 * 0.75 }, Self.sizes)
      let networks = Networks(
        live: network, target: shifted,
        auxiliaries: Dictionary(
          uniqueKeysWithValues: objective.auxiliaries.map { ($0.name, shifted) }),
        critics: ["critic": MeanCritic()])
      let drawn = objective.draw(Self.samples(inputs), key: Key(seed: 5))
      var all = Named<Tensor>()
      for (name, parts) in [("whole", 1), ("parts", count)] {
        guard
          let found = try? objective.gradients(
            networks, drawn, microBatches: parts, for: [("", inputs.group("model"))])
        else { preconditionFailure("\(count) micro-batches") }
        all.merge(found.metrics.prefixed("\(name).metrics"))
        all.merge(found.gradients[0].prefixed("\(name).gradients"))
      }
      return all
    }
    let whole = results.group("whole")
    #expect(whole.names == results.group("parts").names && whole.count > 6)
    for (name, value) in whole.pairs {
      expectNear(results["parts.\(name)"]!, value, relative: 2e-5, name)
    }
  }

  @Test func groupsThatCannotBeDivided() throws {
    let objective = try TwinFlow(TwinFlowSettings(), batch: 20)
    #expect(
      throws: FlowError.indivisibleGroup(name: "The group end_to_end", rows: 5, microBatches: 2)
    ) { try objective.microBatch(of: 2) }
    #expect(
      throws: FlowError.indivisibleGroup(name: "The batch", rows: 20, microBatches: 3)
    ) { try TutorialTwinFlow(TutorialSettings(), batch: 20).microBatch(of: 3) }
  }
}

extension ObjectiveTests {
  private static let sizes = MLP.Sizes(dim: 6, cdim: 2, hidden: 8)

  /// A batch, its conditions and a network's weights.
  private static func inputs(_ batch: Int) -> Named<Numbers> {
    func random(_ shape: [Int], _ seed: UInt64) -> Numbers { .random(shape, seed: seed, .float32) }
    return Named([
      ("x", random([batch, 6], 1)), ("c", random([batch, 2], 2)), ("e", random([batch, 2], 3)),
      ("model.fc1.weight", random([8, 10], 4)), ("model.fc1.bias", random([8], 5)),
      ("model.fc2.weight", random([8, 8], 6)), ("model.fc2.bias", random([8], 7)),
      ("model.fc3.weight", random([6, 8], 8)), ("model.fc3.bias", random([6], 9)),
    ])
  }

  private static func network(_ inputs: Named<Tensor>) -> MLP {
    MLP(inputs.group("model"), sizes)
  }

  private static func samples(_ inputs: Named<Tensor>) -> Batch {
    Batch(
      data: inputs["x"]!, condition: Named([("c", inputs["c"]!)]),
      unconditional: Named([("c", inputs["e"]!)]), step: .constant(3, .int32))
  }

  private static func gradients(_ loss: Tensor, _ inputs: Named<Tensor>) -> [Tensor] {
    loss.gradients(for: inputs.group("model").values)
  }
}

/// A network that must not be evaluated.
private struct Missing: VelocityModel {
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { preconditionFailure("the target network is evaluated") }
}

/// Its condition as the velocity.
private struct Echo: VelocityModel {
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { x.zerosLike + condition["c"]!.shifted(by: condition) }
}

/// The sum of all features as one logit.
private struct MeanCritic: Critic {
  func callAsFunction(_ features: [Tensor]) -> Tensor {
    features.dropFirst().reduce(features[0], +).sum([1, 2]).expanded([1])
  }
}
