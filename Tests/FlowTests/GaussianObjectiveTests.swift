import Foundation
import Tensors
import TestSupport
import Testing

@testable import Flow

/// The rivals of TwinFlow where data are normal, so that everything is known in closed form.
@Suite struct GaussianObjectiveTests {
  private static let flow = GaussianFlow(mean: 0.3, deviation: 0.6)

  private static let inputs = Named([
    ("x", Numbers.random([64, 3], seed: 1, .float64)), ("e", Numbers([0.01], [1], .float64)),
  ])

  /// A batch, an exact network whose error has gradients, and an exact teacher.
  private static func parts(_ inputs: Named<Tensor>) -> (Batch, Networks) {
    var live = flow
    live.error = inputs["e"]!.reshape([]).broadcast(to: [64, 3])
    return (
      Batch(data: inputs["x"]!, condition: Named(), unconditional: Named()),
      Networks(
        live: live, target: live,
        auxiliaries: ["teacher": flow, "fake": GaussianFlow(mean: -0.2, deviation: 0.9)])
    )
  }

  private static func near(
    _ a: Numbers, _ b: Numbers, _ tolerance: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let worst = zip(a.values, b.values).map { Swift.abs($0 - $1) }.max()!
    #expect(worst <= tolerance, "\(what): \(worst)", sourceLocation: sourceLocation)
  }

  /// The exact mean velocity obeys the identity of mean flows, and is the derivative's solution.
  @Test func theMeanVelocityObeysItsIdentity() throws {
    let results = try evaluate(Self.inputs) { inputs in
      let x = inputs["x"]!
      let t = Tensor.iota([64], axis: 0, .float64) / 80 + 0.2
      let tt = t * 0.4
      let velocity = Self.flow(x, time: t, target: t, condition: Named())
      let derivative = pathDerivative(
        of: Self.flow, at: x, time: t, target: tt, along: velocity, condition: Named())
      return Named([
        ("mean", Self.flow(x, time: t, target: tt, condition: Named())),
        ("identity", velocity - (t - tt).expanded([1]) * derivative),
      ])
    }
    Self.near(results["mean"]!, results["identity"]!, 1e-9, "u and v − (t − r)·du/dt")
  }

  /// How far the exact network is from its target, by TwinFlow's loss without the twin trajectory.
  private func residual(_ change: (inout TwinFlowSettings) -> Void) throws -> Double {
    var settings = TwinFlowSettings()
    (settings.source, settings.enhancedRatio, settings.targetEMADecay) = (.network, 1, 1)
    (settings.groups, settings.rectification) = (GroupWeights(adversarial: 0), 0)
    change(&settings)
    let results = try evaluate(Self.inputs) { [settings] inputs in
      let batch = Self.parts(inputs).0
      guard let objective = try? TwinFlow(settings, batch: 64) else { preconditionFailure() }
      let loss = objective(
        Networks(live: Self.flow, target: Self.flow), batch, key: Key(seed: 3))
      let difference = loss.details["velocity"]! - loss.details["regression"]!
      return Named([("residual", difference.abs().mean())])
    }
    return results["residual"]!.values[0]
  }

  /// With the exact network as the source nothing is left of RCGM's residual but the error of a first step
  /// of Euler's, while the path of a sample leaves much.
  @Test func theExactNetworkIsItsOwnTargetOfRCGM() throws {
    #expect(try residual { _ in } < 0.02)
    #expect(try residual { ($0.source, $0.enhancedRatio) = (.data, 0) } > 0.2)
  }

  /// With the mixed source multi-step rows have the velocity of their paths as target, not clamped, and all
  /// others follow the network: the exact one is their target.
  @Test func rowsOfTheMixedSourceFollowPathsOrTheNetwork() throws {
    var settings = TwinFlowSettings()
    (settings.source, settings.enhancedRatio) = (.mixed, 0)
    settings.groups = GroupWeights(
      endToEnd: 1, multiStep: 1, anyStep: 1, adversarial: 0, toData: 1)
    (settings.rectification, settings.firstStepSolver) = (0, .heun)
    let partition = try Partition(batch: 64, weights: settings.groups)
    let results = try evaluate(Self.inputs) { [settings] inputs in
      let loss = TwinFlow(settings, partition: partition)(
        Networks(live: Self.flow, target: Self.flow), Self.parts(inputs).0, key: Key(seed: 3))
      let far = loss.details["velocity"]! - loss.details["regression"]!
      return Named([
        ("far", far.rows(partition.farRanges).abs().mean()),
        ("regression", loss.details["regression"]![partition.multiStepRows]),
        ("path", loss.details["flow"]![partition.multiStepRows]),
      ])
    }
    #expect(results["far"]!.values[0] < 0.02, "\(results["far"]!.values)")
    #expect(results["regression"] == results["path"])
    #expect(results["path"]!.values.contains { Swift.abs($0) > 1.5 })
  }

  /// The error of the target is of first order in the length of the first step by Euler's solver, and of second
  /// by Heun's.
  @Test func theFirstStepIsTakenByASolver() throws {
    func error(_ solver: TwinFlowSettings.Solver, _ length: Double) throws -> Double {
      try residual { ($0.firstStepSolver, $0.firstStep) = (solver, length) }
    }
    let (euler, heun) = (try error(.euler, 0.2), try error(.heun, 0.2))
    #expect(heun < euler / 3, "\(heun), \(euler)")
    let ratios = (try euler / error(.euler, 0.1), try heun / error(.heun, 0.1))
    #expect((1.7...2.3).contains(ratios.0) && (3...5).contains(ratios.1), "\(ratios)")
  }

  @Test(arguments: ConsistencySettings.Derivative.allCases, ConsistencySettings.Tangent.allCases)
  func theExactConsistencyModelDoesNotMove(
    derivative: ConsistencySettings.Derivative, tangent: ConsistencySettings.Tangent
  ) throws {
    var settings = ConsistencySettings()
    (settings.derivative, settings.tangent, settings.source) = (derivative, tangent, .teacher)
    settings.differenceStep = 1e-3
    let results = try evaluate(Self.inputs) { inputs in
      var (batch, networks) = Self.parts(inputs)
      networks = Networks(
        live: Self.flow, target: Self.flow, auxiliaries: networks.auxiliaries)
      let loss = Consistency(settings, batch: 64)(networks, batch, key: Key(seed: 3))
      return loss.details.merging(Named([("loss", loss.total)]))
    }
    // Times are f32, and the difference has an error of second order.
    Self.near(
      results["tangent"]!, Numbers([Double](repeating: 0, count: 192), [64, 3], .float64),
      derivative == .exact ? 2e-5 : 2e-4, "the tangent")
  }

  /// In the warm-up only a share of the derivative is in the tangent: of the exact model, in which it is what
  /// the flow and F differ by, the rest of that difference is left.
  @Test(arguments: [(0, 0.0), (1, 0.25), (3, 0.75), (4, 1), (9, 1)])
  func theTangentWarmsUp(step: Int, share: Double) throws {
    var settings = ConsistencySettings()
    (settings.source, settings.tangentWarmup) = (.teacher, 4)
    var inputs = Self.inputs
    inputs["step"] = Numbers([Double(step)], [], .int32)
    let results = try evaluate(inputs) { inputs in
      let networks = Networks(
        live: Self.flow, target: Self.flow, auxiliaries: Self.parts(inputs).1.auxiliaries)
      let batch = Batch(
        data: inputs["x"]!, condition: Named(), unconditional: Named(), step: inputs["step"]!)
      let objective = Consistency(settings, batch: 64)
      let drawn = objective.draw(batch, key: Key(seed: 3))
      let loss = objective(networks, drawn)
      let (t, point) = (drawn.draws["time"]!, loss.details["x_t"]!)
      let flow = Self.flow(point, time: t, target: t, condition: Named())
      return Named([
        ("found", loss.details["tangent"]!),
        ("expected", (flow - loss.details["velocity"]!) * (1 - share)),
      ])
    }
    Self.near(results["found"]!, results["expected"]!, 2e-5, "the tangent")
    #expect(share == 1 || results["expected"]!.values.contains { Swift.abs($0) > 0.05 })
  }

  /// On the trigonometric path the warm-up is of that path's derivative:
  /// `−cos²(s)·(σF − dx/ds) − r·cos(s)·sin(s)·(x + σ·dF/ds)`.
  @Test func theTrigonometricTangentWarmsUp() throws {
    var settings = ConsistencySettings()
    (settings.source, settings.tangentWarmup) = (.teacher, 4)
    let (share, deviation) = (0.25, 0.7)
    (settings.parametrization, settings.dataDeviation) = (.trigonometric, deviation)
    let results = try evaluate(Self.inputs) { inputs in
      let networks = Networks(
        live: Self.flow, target: Self.flow, auxiliaries: Self.parts(inputs).1.auxiliaries)
      let batch = Batch(
        data: inputs["x"]!, condition: Named(), unconditional: Named(),
        step: .constant(1, .int32))
      let objective = Consistency(settings, batch: 64)
      let drawn = objective.draw(batch, key: Key(seed: 3))
      let loss = objective(networks, drawn)
      let (time, x) = (drawn.draws["time"]!.cast(to: .float64), loss.details["x_t"]!)
      let velocity = Self.flow(x, time: time, target: time, condition: Named())
      func scale(_ t: Tensor) -> Tensor {
        ((1 - t) * (1 - t) + t * t / (deviation * deviation)).sqrt()
      }
      func slope(_ t: Tensor) -> Tensor { (t - 1 + t / (deviation * deviation)) / scale(t) }
      // F of the path x/scale, whose data are those of the linear one.
      func own(_ change: Double) -> Tensor {
        let (now, moved) = (time + change, x + velocity * change)
        let t = now.expanded([1])
        return Self.flow(moved, time: now, target: now.zerosLike, condition: Named()) * scale(t)
          - moved * slope(t)
      }
      let t = time.expanded([1])
      let (cosine, sine) = ((1 - t) / scale(t), t / deviation / scale(t))
      let change = (own(1e-4) - own(-1e-4)) / 2e-4 * scale(t).squared() * deviation
      let flow = (velocity * scale(t) - x * slope(t)) * deviation
      let tangent =
        -(cosine * cosine) * (own(0) * deviation - flow)
        - cosine * sine * (x / scale(t) + change * deviation) * share
      let size = tangent.squared().mean([1]).sqrt().expanded([1])
      return Named([
        ("found", loss.details["regression"]! - loss.details["velocity"]! * scale(t)),
        ("expected", tangent / (size + 0.1)),
      ])
    }
    Self.near(results["found"]!, results["expected"]!, 2e-4, "the tangent over its size")
    #expect(results["expected"]!.values.contains { Swift.abs($0) > 0.3 })
  }

  /// A constant error ε in F makes `df/dt = −ε`, so that the tangent leads back.
  @Test func theTangentOfAnErrorLeadsBack() throws {
    var settings = ConsistencySettings()
    settings.source = .teacher
    let results = try evaluate(Self.inputs) { inputs in
      let (batch, networks) = Self.parts(inputs)
      let loss = Consistency(settings, batch: 64)(networks, batch, key: Key(seed: 3))
      let gradient = loss.total.gradients(for: [inputs["e"]!])[0]
      return loss.details.merging(Named([("gradient", gradient)]))
    }
    // f(x_t, t) − t·ε, whose derivative is −ε less that of f along the exact path, which is 0.
    let size = results["tangent"]!.values
    #expect(size.allSatisfy { Swift.abs($0 + 0.01) < 2e-5 })
    #expect(results["gradient"]!.values[0] > 0)
  }

  @Test(arguments: MeanFlowSettings.Form.allCases)
  func meanFlowsHaveTheirTarget(form: MeanFlowSettings.Form) throws {
    var settings = MeanFlowSettings()
    (settings.form, settings.farShare, settings.stepRatio) = (form, 1, 0.2)
    let results = try evaluate(Self.inputs) { inputs in
      let (batch, networks) = Self.parts(inputs)
      let objective = MeanFlow(settings, batch: 64)
      let drawn = objective.draw(batch, key: Key(seed: 3))
      let loss = objective(networks, drawn)
      let (t, tt) = (drawn.draws["time"]!, drawn.draws["target"]!)
      let flow = drawn.draws["noise"]! - batch.data
      let point = loss.details["x_t"]!
      // The derivative along the path of u, by a central difference of the exact network.
      let h = 1e-4
      let along =
        form == .improved
        ? networks.live(point, time: t, target: t, condition: Named()) : flow
      let sides = [h, -h].map {
        networks.live(point + along * $0, time: t + $0, target: tt, condition: Named())
      }
      let span = (t - tt).expanded([1]).cast(to: .float64)
      let expected: Tensor
      if form == .solution {
        let moved = t - (t - tt) * 0.2
        let rest = networks.live(
          point - flow * span * 0.2, time: moved, target: tt, condition: Named())
        expected = flow + (rest - loss.details["velocity"]!) * 4
      } else {
        expected = flow - span * (sides[0] - sides[1]) / (2 * h)
      }
      return Named([
        ("found", loss.details["regression"]!), ("expected", expected), ("far", t - tt),
      ])
    }
    #expect(results["far"]!.values.allSatisfy { $0 >= 0 } && results["far"]!.values.max()! > 0.2)
    Self.near(
      results["found"]!, results["expected"]!, form == .solution ? 1e-9 : 2e-3, "\(form)")
  }

  @Test func progressiveDistillationIsTwoStepsOfTheTeacher() throws {
    var settings = ProgressiveSettings()
    settings.steps = 4
    let results = try evaluate(Self.inputs) { inputs in
      let (batch, networks) = Self.parts(inputs)
      let objective = ProgressiveDistillation(settings, batch: 64)
      let drawn = objective.draw(batch, key: Key(seed: 3))
      let loss = objective(networks, drawn)
      let (t, x) = (drawn.draws["time"]!, loss.details["x_t"]!)
      let first = Self.flow(x, time: t, target: t, condition: Named())
      let middle = t - 0.125
      let second = Self.flow(
        x - first * 0.125, time: middle, target: middle, condition: Named())
      return Named([
        ("found", loss.details["regression"]!), ("expected", (first + second) * 0.5), ("time", t),
      ])
    }
    Self.near(results["found"]!, results["expected"]!, 1e-9, "the regression target")
    #expect(Set(results["time"]!.values) == [0.25, 0.5, 0.75, 1])
  }

  /// The gradient of the generator against the closed form: fakes N(−.2, .9²) for data N(.3, .6²).
  @Test(arguments: DistributionMatchingSettings.Weight.allCases)
  func distributionMatchingHasItsGradient(weight: DistributionMatchingSettings.Weight) throws {
    var settings = DistributionMatchingSettings()
    settings.weight = weight
    let results = try evaluate(Self.inputs) { inputs in
      let (batch, networks) = Self.parts(inputs)
      let objective = DistributionMatching(settings, batch: 64)
      let drawn = objective.draw(batch, key: Key(seed: 3))
      let loss = objective(networks, drawn)
      let time = drawn.draws["time"]! * 0.96 + 0.02
      let t = time.expanded([1]).cast(to: .float64)
      let made =
        drawn.draws["start"]!
        - networks.live(
          drawn.draws["start"]!, time: time.zerosLike + 1, target: time.zerosLike,
          condition: Named())
      let point = t * drawn.draws["noise"]! + (1 - t) * made
      // The expected data of a normal distribution at x_t.
      let posterior = { (mean: Double, deviation: Double) -> Tensor in
        let variance = t * t + (1 - t) * (1 - t) * (deviation * deviation)
        return (point - (1 - t) * mean) * (1 - t) * (deviation * deviation) / variance + mean
      }
      let (real, fake) = (posterior(0.3, 0.6), posterior(-0.2, 0.9))
      let step: Tensor
      switch weight {
      case .data:
        step = (fake - real) / ((made - real).abs().mean([1]) + 1e-6).expanded([1])
      case .noise:
        // ẑ = (x_t − (1 − t)·x̂) / t.
        step = (fake - real) * (1 - t) / t * (1 - t)
      }
      // The sample falls by the error's growth: ∂made/∂ε = −1, and the loss is half a mean of squares.
      return Named([
        ("found", loss.total.gradients(for: [inputs["e"]!])[0]),
        ("expected", (-step).mean().reshape([1])), ("fake", loss.auxiliaries["fake"]!),
      ])
    }
    expectClose(results["found"]!.values, results["expected"]!.values, relative: 1e-5)
    #expect(results["fake"]!.values[0] > 0)
  }

  /// Where the networks of data and fakes agree, nothing moves; otherwise the gradient is the loss's own.
  @Test func scoreIdentityHasItsGradient() throws {
    func gradient(_ fake: GaussianFlow, at error: Double) throws -> (Double, Double) {
      var inputs = Self.inputs
      inputs["e"] = Numbers([error], [1], .float64)
      let results = try evaluate(inputs) { inputs in
        var (batch, networks) = Self.parts(inputs)
        networks = Networks(
          live: networks.live, target: networks.live,
          auxiliaries: ["teacher": Self.flow, "fake": fake])
        let loss = ScoreIdentity(ScoreIdentitySettings(), batch: 64)(
          networks, batch, key: Key(seed: 3))
        return Named([
          ("gradient", loss.total.gradients(for: [inputs["e"]!])[0]), ("loss", loss.total),
        ])
      }
      return (results["gradient"]!.values[0], results["loss"]!.values[0])
    }
    let (still, zero) = try gradient(Self.flow, at: 0)
    #expect(Swift.abs(still) < 1e-9 && Swift.abs(zero) < 1e-9)
    let far = GaussianFlow(mean: -0.2, deviation: 0.9)
    let (slope, value) = try gradient(far, at: 0.01)
    #expect(Swift.abs(slope) > 1e-3 && value.isFinite)
  }
}
