import Tensors

/// The TwinFlow objective for small networks: every loss on the whole batch, with weight 1 each.
///
/// The version of the published tutorial: plain mean squares, no time weights, no limit on the twin
/// difference, and one-step samples that the rectification's gradient passes through.
public struct TutorialTwinFlow: Objective {
  /// The settings.
  public let settings: TutorialSettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: TutorialSettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  /// The target network.
  public var target: TargetNetwork { TargetNetwork(emaDecay: settings.targetEMADecay) }

  /// One group: every row contributes to every loss.
  public var rowGroups: [Int] { [batch] }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    TutorialTwinFlow(settings, batch: try batch.shared(by: count))
  }

  /// All random numbers of one step.
  public struct Draws {
    /// Times `[batch]`, uniform in (0, 1).
    public var time: Tensor
    /// Uniform numbers that determine the target times `[batch]`.
    public var target: Tensor
    /// The noise of the paths `[batch, …]`.
    public var noise: Tensor
    /// The noise of the rectification's paths `[batch, …]`.
    public var rectificationNoise: Tensor
    /// The times of the rectification `[batch]`.
    public var rectificationTime: Tensor

    /// Makes draws from given tensors.
    public init(
      time: Tensor, target: Tensor, noise: Tensor, rectificationNoise: Tensor,
      rectificationTime: Tensor
    ) {
      self.time = time
      self.target = target
      self.noise = noise
      self.rectificationNoise = rectificationNoise
      self.rectificationTime = rectificationTime
    }

    var named: Named<Tensor> {
      Named([
        ("time", time), ("target", target), ("noise", noise),
        ("rectification_noise", rectificationNoise), ("rectification_time", rectificationTime),
      ])
    }

    init(_ named: Named<Tensor>) {
      self.init(
        time: named["time"]!, target: named["target"]!, noise: named["noise"]!,
        rectificationNoise: named["rectification_noise"]!,
        rectificationTime: named["rectification_time"]!)
    }
  }

  /// Draws all random numbers of a step; the empty condition is another sample's condition.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let keys = key.split(6)
    let (row, type) = (Shape([batch.data.shape[0]]), batch.data.type)
    let draws = Draws(
      time: keys[0].uniform(row), target: keys[1].uniform(row),
      noise: keys[2].normal(type.shape, type.dtype),
      rectificationNoise: keys[3].normal(type.shape, type.dtype),
      rectificationTime: keys[4].uniform(row))
    let order = keys[5].permutation(type.shape[0])
    let shuffled = Batch(
      data: batch.data, condition: batch.condition,
      unconditional: batch.condition.mapValues { $0.take(order) }, step: batch.step)
    return DrawnBatch(shuffled, draws: draws.named)
  }

  /// The loss of a batch with its draws.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    self(networks, drawn.batch, Draws(drawn.draws))
  }

  /// The loss with given draws.
  public func callAsFunction(_ networks: Networks, _ batch: Batch, _ draws: Draws) -> Loss {
    let (live, condition) = (networks.live, batch.condition)
    let distance = RegressionLoss.l2
    let (t, noise) = (draws.time, draws.noise)
    let tt = t - draws.target * t
    let point = interpolate(data: batch.data, noise: noise, time: t)
    let path = noise - batch.data
    let velocity = live(point, time: t, target: tt, condition: condition)

    var flow = path
    if settings.enhancedRatio > 0 {
      // Two evaluations of the same points, which share most of the work in small networks.
      let both = [condition, batch.unconditional].map {
        networks.target(point, time: t, target: t, condition: $0).stopGradient()
      }
      flow = flow + (both[0] - both[1]) * settings.enhancedRatio
    }
    let rcgm = RCGM(order: settings.order)
    let regression = rcgm.target(
      velocity.stopGradient(), flow: flow, x: point, time: t, target: tt, condition: condition,
      network: networks.target)
    var losses = Named<Tensor>([("any_step", distance(velocity, regression))])
    var details = Named<Tensor>([
      ("x_t", point), ("t", t), ("tt", tt), ("flow", path), ("enhanced", flow),
      ("velocity", velocity), ("regression", regression),
    ])

    if settings.twin {
      let one = t.zerosLike + 1
      let zero = t.zerosLike
      let straight = live(point, time: t, target: t, condition: condition)
      losses["multi_step"] = distance(straight, flow)

      let made = live.evaluate(noise, time: one, target: zero, condition: condition)
      let fake = made.data.stopGradient()
      let twin = live(
        interpolate(data: fake, noise: noise, time: t), time: -t, target: -t, condition: condition)
      losses["adversarial"] = distance(twin, noise - fake)

      let difference = twinDifference(
        live, data: fake, condition: condition, noise: draws.rectificationNoise,
        time: draws.rectificationTime, joined: false)
      let rectified = (made.velocity - difference.cast(to: fake.dtype)).stopGradient()
      losses["rectification"] = distance(made.velocity, rectified)

      let endToEnd = rcgm.target(
        made.velocity.stopGradient(), flow: flow, x: noise, time: one, target: zero,
        condition: condition, network: networks.target)
      losses["end_to_end"] = distance(made.velocity, endToEnd)
      details.merge(
        Named([
          ("velocity.multi_step", straight), ("velocity.adversarial", twin),
          ("velocity.end_to_end", made.velocity), ("flow.adversarial", noise - fake),
          ("difference", difference), ("rectified", rectified), ("end_to_end", endToEnd),
        ]))
    }
    var metrics = losses.mapValues { $0.mean() }
    let total = metrics.values.reduce(.constant(0.0, .float32), +)
    metrics["loss"] = total
    details.merge(losses.prefixed("per_sample"))
    return Loss(total: total, metrics: metrics, details: details)
  }
}
