import Foundation
import Recipe
import Tensors

/// Consistency models in continuous time: Lu and Song, "Simplifying, stabilizing and scaling continuous-time
/// consistency models", arXiv 2410.11081 (sCM), and Sun and others, "Unified continuous generative models",
/// arXiv 2505.07447 (UCGM), on the linear path; with a critic as in Chen and others, "SANA-Sprint: One-step
/// diffusion with continuous-time consistency distillation", arXiv 2503.09641.
///
/// The network's data `f(x_t, t) = x_t − t·F(x_t, t, 0)` are to be the same along the path, whose derivative
/// there is `df/dt = v − F − t·dF/dt`. The gradient moves F along it.
public struct Consistency: Objective {
  /// The settings.
  public let settings: ConsistencySettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: ConsistencySettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  /// The teacher, whose velocity the path follows; none where the path is that of the data.
  static let teacher = "teacher"

  /// A quarter of a turn, as UCGM's code rounds it.
  private static let quarter = 1.57

  /// A frozen teacher for distillation.
  public var auxiliaries: [Auxiliary] {
    settings.source == .teacher
      ? [Auxiliary(Self.teacher, interval: nil)] + settings.adversarial.auxiliaries : []
  }

  /// One group.
  public var rowGroups: [Int] { [batch] }

  /// All rows, where the derivative is exact.
  public var pushforwardRows: Int { settings.derivative == .exact ? batch : 0 }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    Consistency(settings, batch: try batch.shared(by: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let keys = key.split(4)
    let (type, row) = (batch.data.type, Shape([batch.data.shape[0]]))
    return DrawnBatch(
      batch,
      draws: Named([
        ("time", settings.timeDistribution.draw(keys[0], row)),
        ("noise", keys[1].normal(type.shape, type.dtype)),
        ("highest", keys[2].uniform(row)),
      ]).merging(settings.adversarial.draws(keys[3], type)))
  }

  /// The loss of a batch with its draws.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, noise) = (drawn.batch, drawn.draws["noise"]!)
    var t = drawn.draws["time"]!
    if settings.adversarial.isOn {
      // Some samples go all the way from noise, for the critic.
      let isHighest = drawn.draws["highest"]!.less(settings.highestShare)
      t = isHighest.select(t.zerosLike + 1, t)
    }
    let point = interpolate(data: batch.data, noise: noise, time: t)
    let zero = t.zerosLike
    let velocity = networks.live(point, time: t, target: zero, condition: batch.condition)
    let flow = flow(noise - batch.data, point, t, batch, networks)

    let live = networks.live
    let own = velocity.stopGradient().wide
    let wide = t.expanded(toRank: point.rank).cast(to: own.dtype)
    let change: Tensor
    var (mean, middle) = (own, wide)
    switch settings.derivative {
    case .exact:
      change = pathDerivative(
        of: live, at: point, time: t, target: zero, along: flow, condition: batch.condition)
    case .difference:
      // Of the data on both sides along the path, within the times that there are: the change of F, at the
      // mean of both F and both t.
      let (after, before) = (
        (t + settings.differenceStep).minimum(1), (t - settings.differenceStep).maximum(0)
      )
      let sides = [after, before].map { time in
        let moved = point + flow * (time - t).expanded(toRank: point.rank).cast(to: point.dtype)
        return live(moved, time: time, target: zero, condition: batch.condition)
          .stopGradient().wide
      }
      let width = (after - before).expanded(toRank: point.rank).cast(to: own.dtype)
      change = (sides[0] - sides[1]) / width
      mean = (sides[0] + sides[1]) * 0.5
      middle = ((after + before) * 0.5).expanded(toRank: point.rank).cast(to: own.dtype)
    }
    let start = flow.wide - mean
    let whole = start - middle * change.wide
    // Section 4.1 of sCM's paper: the derivative comes in over the first steps.
    func warmedUp(from start: Tensor, to whole: Tensor) -> Tensor {
      guard settings.tangentWarmup > 0 else { return whole }
      let share = (batch.step.cast(to: .float32) / Double(settings.tangentWarmup)).minimum(1)
      return start + (whole - start) * share.cast(to: whole.dtype)
    }
    let tangent = warmedUp(from: start, to: whole)
    var (compared, from) = (velocity.wide, own)
    let moved: Tensor
    switch settings.tangent {
    case .normalized:
      // cos t of the published weight is 1 − t up to the scale of the linear path.
      var weighted = tangent * (1 - wide)
      if settings.parametrization == .trigonometric {
        // On the path cos(s)·x + sin(s)·σz, F is this one times the scale, up to what is the same for all
        // networks, and dt/ds is σ times its square.
        let deviation = settings.dataDeviation
        let scale = ((1 - wide).squared() + (wide / deviation).squared()).sqrt()
        // Without the derivative the weight is that of F on this path, cos(s)².
        let early = start * ((1 - wide).squared() / scale) * deviation
        weighted = warmedUp(from: early, to: whole * (1 - wide) * scale * deviation)
        (compared, from) = (compared * scale, own * scale)
      }
      let size = weighted.squared().meanPerSample().sqrt().expanded(toRank: point.rank)
      moved = weighted / (size + settings.tangentOffset)
    case .clamped:
      // A larger F makes smaller data: added to F, the change of the data is taken from them.
      let weight = 4 * wide / (wide * Self.quarter).sin().maximum(1e-4)
      moved = tangent.clamped(-1...1) * weight
    }
    let wanted = (from + moved).stopGradient()
    let square = RegressionLoss.l2(compared, wanted)
    var each = square
    if settings.tangent == .clamped {
      let c = settings.robustness
      each = ((square + c * c).sqrt() - c) * (t * Self.quarter).cos().cast(to: square.dtype)
    }
    var loss = each.mean()
    var (further, metrics) = (Named<Tensor>(), Named<Tensor>())
    if settings.source == .teacher, let teacher = networks.auxiliaries[Self.teacher] {
      let made = point - wide.cast(to: point.dtype) * velocity
      if let (generator, critic) = settings.adversarial.losses(made, teacher, networks, drawn) {
        loss = loss + generator
        further[AdversarialSettings.name] = critic
        (metrics["adversarial"], metrics["critic"]) = (generator, critic)
      }
    }
    metrics["loss"] = loss
    metrics["tangent"] = tangent.squared().meanPerSample().sqrt().mean()
    return Loss(
      total: loss, auxiliaries: further, metrics: metrics,
      details: Named([
        ("x_t", point), ("velocity", velocity), ("tangent", tangent), ("regression", wanted),
      ]))
  }

  /// The velocity of the path: of the data's, or the teacher's with guidance.
  private func flow(
    _ flow: Tensor, _ point: Tensor, _ t: Tensor, _ batch: Batch, _ networks: Networks
  ) -> Tensor {
    guard settings.source == .teacher, let teacher = networks.auxiliaries[Self.teacher] else {
      return flow
    }
    return guidedEvaluation(
      of: teacher, point, time: t, batch: batch, guidance: settings.guidance
    ).velocity.stopGradient()
  }
}

/// The settings of consistency in continuous time.
public struct ConsistencySettings: Hashable, Sendable {
  /// How the network's derivative along the path is found.
  public enum Derivative: String, Codable, Hashable, Sendable, CaseIterable {
    /// The pushforward.
    case exact
    /// A difference of two evaluations.
    case difference
  }

  /// What is done with the derivative of the data along the path.
  public enum Tangent: String, Codable, Hashable, Sendable, CaseIterable {
    /// Divided by its size plus a constant: sCM.
    case normalized
    /// Clamped to ±1 and weighted: UCGM.
    case clamped
  }

  /// Whose F the loss of normalized tangents compares.
  public enum Parametrization: String, Codable, Hashable, Sendable, CaseIterable {
    /// The velocity of the linear path.
    case linear
    /// That of the path `cos(s)·x + sin(s)·σz`: sCM's own, TrigFlow.
    case trigonometric
  }

  /// Which path the data are to be the same along.
  public enum Source: String, Codable, Hashable, Sendable, CaseIterable {
    /// From the noise to the data: consistency training.
    case data
    /// That of the network before training: consistency distillation.
    case teacher
  }

  /// How the network's derivative along the path is found.
  public var derivative = Derivative.exact
  /// Half the width of the difference in time.
  public var differenceStep = 0.005
  /// What is done with the derivative of the data along the path.
  public var tangent = Tangent.normalized
  /// The constant that is added to the tangent's size.
  public var tangentOffset = 0.1
  /// The steps in which the derivative's factor in the tangent rises from 0 to 1; 0 for none.
  public var tangentWarmup = 0
  /// Whose F the loss of normalized tangents compares.
  public var parametrization = Parametrization.linear
  /// The standard deviation σ of the data, that of the noise of the trigonometric path.
  public var dataDeviation = 1.0
  /// The constant c of the loss `√(square + c²) − c` of clamped tangents.
  public var robustness = 5.0
  /// Which path the data are to be the same along.
  public var source = Source.data
  /// The scale of the teacher's guidance; 1 is none.
  public var guidance = 1.0
  /// The distribution of times.
  public var timeDistribution = TimeDistribution.logitNormal(LogitNormal(mean: -1, deviation: 1.4))
  /// The adversarial term, for distillation.
  public var adversarial = AdversarialSettings()
  /// The share of the samples at time 1 where there is an adversarial term.
  public var highestShare = 0.5

  /// Makes the published settings of sCM.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "derivative", \.derivative, "exact: the pushforward; difference: of two evaluations"),
    Field(
      "difference_step", \.differenceStep, in: 1e-4...0.1,
      "half the width of the difference in time"
    ).when("`derivative: difference`") { $0.derivative == .difference },
    Field(
      "tangent", \.tangent, "normalized: divided by its size, as in sCM; clamped: to ±1, as in UCGM"
    ),
    Field(
      "tangent_offset", \.tangentOffset, in: 0..., "constant that is added to the tangent's size"
    ).when("`tangent: normalized`") { $0.tangent == .normalized },
    Field(
      "parametrization", \.parametrization,
      "whose F is compared; linear: this path's, trigonometric: that of sCM"
    ).when("`tangent: normalized`") { $0.tangent == .normalized },
    Field(
      "data_deviation", \.dataDeviation, in: 0.01...100,
      "standard deviation of the data on the trigonometric path"
    ).when("`parametrization: trigonometric`") {
      $0.tangent == .normalized && $0.parametrization == .trigonometric
    },
    Field(
      "tangent_warmup", \.tangentWarmup, in: 0...Int(Int32.max),
      "steps in which the tangent's derivative comes in; 0: at once; sCM: 10000"),
    Field(
      "robustness", \.robustness, in: 0..., "c of the loss sqrt(square + c^2) - c"
    ).when("`tangent: clamped`") { $0.tangent == .clamped },
    Field(
      "source", \.source, "data: the path to the data; teacher: that of the network before training"
    ),
    Field("guidance", \.guidance, in: 0..., "scale of the teacher's guidance; 1 is none"),
    Field("time_distribution", \.timeDistribution, "distribution of the times"),
    Field("adversarial", \.adversarial, "a critic"),
    Field(
      "highest_share", \.highestShare, in: 0...1, "share of the samples at time 1 beside a critic"
    ).when("a critic") { $0.adversarial.isOn },
  ]

  /// Checks that the settings fit each other.
  public func validate() throws {
    guard source == .teacher || guidance == 1 else {
      throw invalid(
        \.guidance, found: guidance,
        "only a teacher has guidance: set source to teacher, or guidance to 1")
    }
    guard source == .teacher || !adversarial.isOn else {
      throw invalid(
        \.adversarial, found: "a weight of \(adversarial.weight)",
        "the critic sees the teacher's features: set source to teacher")
    }
  }
}

extension ConsistencySettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "consistency"

  /// The description in the reference.
  public static let summary = """
    A consistency model in continuous time: one step from any time to the data. From data, or distilled
    from the network that training starts from.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { Consistency(self, batch: batch) }

  /// The layers that the critic sees.
  public var criticLayers: [Int] { adversarial.isOn ? adversarial.layers : [] }

  /// The teacher is a trained network.
  public var needsStart: Bool { source == .teacher }

  /// Guidance needs the network without its condition.
  public var needsConditions: Bool { source == .teacher && guidance != 1 }
}
