import Recipe
import Tensors

/// The mean velocity from the current time to the target time: Geng and others, "Mean flows for one-step
/// generative modeling", arXiv 2505.13447; "Improved mean flows", arXiv 2512.02012; Luo and others,
/// "SoFlow: Solution flow models for one-step generative modeling", arXiv 2512.15657.
///
/// The mean velocity u over [tt, t] obeys `u = v − (t − tt)·du/dt`, with the derivative along the path, which
/// is the pushforward of the network along (v, 1, 0). SoFlow's form has no derivative: u goes a step along
/// the path, and the network itself from there. One network, no target network.
public struct MeanFlow: Objective {
  /// The settings.
  public let settings: MeanFlowSettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: MeanFlowSettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  /// One group: which rows have a target time of their own is drawn.
  public var rowGroups: [Int] { [batch] }

  /// All rows, except in the form without a derivative.
  public var pushforwardRows: Int { settings.form == .solution ? 0 : batch }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    MeanFlow(settings, batch: try batch.shared(by: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let keys = key.split(4)
    let (type, row) = (batch.data.type, Shape([batch.data.shape[0]]))
    let times = [keys[0], keys[1]].map { settings.timeDistribution.draw($0, row) }
    let later = times[0].maximum(times[1])
    let isFar = keys[2].uniform(row).less(settings.farShare)
    return DrawnBatch(
      batch,
      draws: Named([
        ("time", later), ("target", isFar.select(times[0].minimum(times[1]), later)),
        ("noise", keys[3].normal(type.shape, type.dtype)),
      ]))
  }

  /// The loss of a batch with its draws.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, draws) = (drawn.batch, drawn.draws)
    let (t, tt, noise) = (draws["time"]!, draws["target"]!, draws["noise"]!)
    let point = interpolate(data: batch.data, noise: noise, time: t)
    let flow = noise - batch.data
    let velocity = networks.live(point, time: t, target: tt, condition: batch.condition)

    let guided = guided(flow, point, t, batch, networks.live)
    let span = (t - tt).expanded(toRank: point.rank).cast(to: point.dtype)
    let wanted: Tensor
    switch settings.form {
    case .conditional, .improved:
      // Improved mean flows follow the network's own velocity. As a regression of v on u + (t − tt)·du/dt
      // without the derivative's gradient, they have the gradient of this one.
      let along =
        settings.form == .improved
        ? networks.live(point, time: t, target: t, condition: batch.condition).stopGradient()
        : guided
      let derivative = pathDerivative(
        of: networks.live, at: point, time: t, target: tt, along: along,
        condition: batch.condition)
      wanted = (guided - span * derivative).stopGradient()
    case .solution:
      let step = span * settings.stepRatio
      let between = t - (t - tt) * settings.stepRatio
      let rest = networks.live(
        point - guided * step, time: between, target: tt, condition: batch.condition)
      // The difference of the two solutions over the step's length, as the error of the velocity.
      let change = (rest - velocity) * ((1 - settings.stepRatio) / settings.stepRatio)
      wanted = (guided + change).stopGradient()
    }
    let square = RegressionLoss.l2(velocity, wanted)
    let width = point.shape.count / point.shape[0]
    let each = settings.reduction == .mean ? square : square * Double(width)
    var weight = ((each + settings.weightOffset).power(-settings.weightPower)).stopGradient()
    if settings.form == .solution {
      // As published, the gradient of a far target is that of half the square.
      weight = weight * (1 - t.greater(tt).cast(to: weight.dtype) * 0.5)
    }
    let loss = (each * weight).mean()
    return Loss(
      total: loss,
      metrics: Named([("loss", loss), ("mean_square", square.mean())]),
      details: Named([
        ("x_t", point), ("velocity", velocity), ("regression", wanted),
      ]))
  }

  /// The velocity of the path with guidance: `w·v + (1 − w − k)·u(x_t, t, t, ∅) + k·u(x_t, t, t, c)`,
  /// equations 19 and 20 of the paper.
  private func guided(
    _ flow: Tensor, _ point: Tensor, _ t: Tensor, _ batch: Batch, _ live: any VelocityModel
  ) -> Tensor {
    let (scale, mixed) = (settings.guidance, settings.guidanceMix)
    guard scale != 1 || mixed != 0 else { return flow }
    let both = live(
      .concatenate([point, point]), time: .concatenate([t, t]), target: .concatenate([t, t]),
      condition: batch.condition.appending(batch.unconditional)
    ).stopGradient().split(2)
    return flow * scale + both[1] * (1 - scale - mixed) + both[0] * mixed
  }
}

/// The derivative of a network's output by the current time along a path, without gradient.
///
/// - Parameter velocity: the path's velocity at the point.
func pathDerivative(
  of network: any VelocityModel, at point: Tensor, time: Tensor, target: Tensor,
  along velocity: Tensor, condition: Named<Tensor>
) -> Tensor {
  let sources = [point.stopGradient(), time.stopGradient()]
  let output = network(sources[0], time: sources[1], target: target, condition: condition)
  let tangents = [velocity.cast(to: point.dtype), time.zerosLike + 1]
  return pushforward(of: [output], for: sources, along: tangents)[0].stopGradient()
}

/// The settings of mean flows.
public struct MeanFlowSettings: Hashable, Sendable {
  /// Which velocity the derivative follows.
  public enum Form: String, Codable, Hashable, Sendable, CaseIterable {
    /// The path's, with guidance: the first paper.
    case conditional
    /// The network's own at this time: the improved form.
    case improved
    /// No derivative: a step along the path's velocity, and the network itself from there; SoFlow's form.
    case solution
  }

  /// What a sample's loss is of its squared errors.
  public enum Reduction: String, Codable, Hashable, Sendable, CaseIterable {
    /// Their sum: mean flows and improved mean flows.
    case sum
    /// Their mean: SoFlow.
    case mean
  }

  /// Which velocity the derivative follows.
  public var form = Form.conditional
  /// The share of the samples whose target time is not the current one.
  public var farShare = 0.25
  /// The distribution of both times, the later of which is the current one.
  public var timeDistribution = TimeDistribution.logitNormal(LogitNormal(mean: -0.4, deviation: 1))
  /// The length of the step of the form without a derivative, as a fraction of the way to the target time.
  public var stepRatio = 0.05
  /// What a sample's loss is of its squared errors.
  public var reduction = Reduction.sum
  /// The power p of the weight `1 / (square + c)^p` of each sample.
  public var weightPower = 1.0
  /// The constant c of the weight.
  public var weightOffset = 1e-3
  /// The scale w of guidance in the target; 1 is none.
  public var guidance = 1.0
  /// The share k of the network's own conditional velocity in the target.
  public var guidanceMix = 0.0

  /// Makes the published settings.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "form", \.form,
      "derivative along the path, or the network's own velocity, or a step"),
    Field(
      "far_share", \.farShare, in: 0...1,
      "share of the samples with a target time of their own"),
    Field("time_distribution", \.timeDistribution, "distribution of both times"),
    Field(
      "step_ratio", \.stepRatio, in: 0.001...1,
      "length of the step, as a fraction of the way to the target"
    ).when("`form: solution`") { $0.form == .solution },
    Field(
      "reduction", \.reduction, "square of a sample: the sum or the mean of its squared errors"),
    Field(
      "weight_power", \.weightPower, in: 0...2, "p of the weight 1 / (square + c)^p of a sample"),
    Field("weight_offset", \.weightOffset, in: 1e-8...1, "c of the weight"),
    Field("guidance", \.guidance, in: 0..., "scale of guidance in the target; 1 is none"),
    Field(
      "guidance_mix", \.guidanceMix, in: 0...1,
      "share of the network's own conditional velocity in the target"),
  ]
}

extension MeanFlowSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "mean-flow"

  /// The description in the reference.
  public static let summary = """
    The mean velocity between two times, from its exact derivative along the path. One network.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { MeanFlow(self, batch: batch) }

  /// Guidance needs the network without its condition.
  public var needsConditions: Bool { guidance != 1 || guidanceMix != 0 }
}
