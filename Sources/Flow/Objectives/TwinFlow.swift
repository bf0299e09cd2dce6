import Tensors

/// The TwinFlow objective for large models: every row of the batch contributes to one loss.
///
/// "TwinFlow: Realizing one-step generation on large models with self-adversarial flows", arXiv
/// 2512.05150. Flow matching and RCGM are special cases.
public struct TwinFlow: Objective {
  /// The settings.
  public let settings: TwinFlowSettings
  /// The rows of each group of the batch.
  public let partition: Partition

  /// Makes the objective for a batch size.
  ///
  /// - Throws: `FlowError.batchTooSmall`.
  public init(_ settings: TwinFlowSettings, batch: Int) throws {
    self.settings = settings
    partition = try Partition(batch: batch, weights: settings.groups)
  }

  /// Makes the objective for a given partition of the batch.
  public init(_ settings: TwinFlowSettings, partition: Partition) {
    self.settings = settings
    self.partition = partition
  }

  /// The target network.
  public var target: TargetNetwork { TargetNetwork(emaDecay: settings.targetEMADecay) }

  /// The sizes of the groups.
  public var rowGroups: [Int] { partition.counts }

  /// The sizes of the groups that a draw is for.
  public func rowGroups(ofDraw name: String) -> [Int] {
    switch name {
    case "fake_noise": [partition.adversarial]
    case "rectification_noise", "rectification_time": [partition.endToEnd]
    default: rowGroups
    }
  }

  /// The objective on one micro-batch, with its share of every group.
  public func microBatch(of count: Int) throws -> any Objective {
    TwinFlow(settings, partition: try partition.microBatch(of: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    DrawnBatch(batch, draws: draws(key, batch.data.type).named)
  }

  /// The loss of a batch with its draws.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    self(networks, drawn.batch, Draws(drawn.draws))
  }

  /// All random numbers of a step on data of a type.
  public func draws(_ key: Key, _ type: TensorType) -> Draws {
    let keys = key.split(8)
    let row = Shape([type.shape[0]])
    let shape = { (rows: Int) in type.shape.replacing(0, with: rows) }
    return Draws(
      time: settings.timeDistribution.unscaled(keys[0], row),
      target: keys[1].uniform(row), near: keys[2].uniform(row),
      fakeNoise: keys[3].normal(shape(partition.adversarial), type.dtype),
      noise: keys[4].normal(type.shape, type.dtype),
      rectificationNoise: keys[5].normal(shape(partition.endToEnd), type.dtype),
      rectificationTime: keys[6].uniform([partition.endToEnd]),
      dataNoise: keys[7].normal(type.shape, type.dtype))
  }

  /// The loss with given draws.
  public func callAsFunction(_ networks: Networks, _ batch: Batch, _ draws: Draws) -> Loss {
    precondition(
      batch.data.shape[0] == partition.batch,
      "a partition of \(partition.batch) rows got \(batch.data.type)")
    let networks = settings.timeConvention.applied(to: networks)
    let path = path(networks.live, batch, draws)
    // Where a shifted condition marks the fake branch, every evaluation says which rows are of it.
    let batch = Batch(
      data: batch.data, condition: shifted(batch.condition),
      unconditional: shifted(batch.unconditional), weights: batch.weights, step: batch.step)
    let student = networks.live.evaluate(
      path.point, time: path.time, target: path.target, condition: batch.condition)

    let enhanced = enhance(path, batch, networks.target)
    let regression = regressionTarget(student.velocity, enhanced, path, batch, networks)
    // Generated data have no masks.
    let elements = batch.weights.map { weights in
      let fakes = weights[partition.adversarialRows]
      return weights.replacing(
        [partition.adversarialRows], with: .ones(fakes.shape, fakes.dtype))
    }
    let each = settings.regressionLoss(student.velocity, regression, weights: elements)
    let weights = weights(path).cast(to: each.dtype)
    let weighted = each * weights
    let base = base(weighted)

    var details = Named<Tensor>([
      ("x_t", path.point), ("t", path.time), ("tt", path.target), ("data", path.data),
      ("flow", path.flow), ("velocity", student.velocity), ("enhanced", enhanced),
      ("regression", regression), ("per_sample", each), ("weights", weights),
    ])
    var metrics = Named<Tensor>()
    for (name, rows) in groups where !rows.isEmpty { metrics[name] = weighted[rows].mean() }
    var total = base
    if settings.consistencyRatio == 1, settings.rectification > 0, partition.endToEnd > 0 {
      let (losses, difference) = rectify(student, batch.condition, draws, networks.live)
      let loss = losses.mean()
      details["difference"] = difference
      details["rectification"] = losses
      metrics["rectification"] = loss
      total = total + loss * settings.rectification
    }
    metrics["loss"] = total
    return Loss(total: total, metrics: metrics, details: details)
  }

  /// The mean over all rows, with order 0 over the multi-step and adversarial rows only, which
  /// alone have a target then.
  private func base(_ losses: Tensor) -> Tensor {
    guard settings.order == 0 else { return losses.mean() }
    let rows = [partition.multiStepRows, partition.adversarialRows].filter { !$0.isEmpty }
    return rows.isEmpty ? .zeros([], losses.dtype) : losses.rows(rows).mean()
  }

  private var groups: [(String, Range<Int>)] {
    let p = partition
    let rows = [
      p.endToEndRows, p.multiStepRows, p.anyStepRows, p.adversarialRows, p.toDataRows,
    ]
    return Array(zip(GroupWeights.names, rows))
  }

  /// A batch of points on paths, with signed times.
  private struct Path {
    let data: Tensor
    let point: Tensor
    let time: Tensor
    let target: Tensor
    /// The velocity of the path, z − x.
    let flow: Tensor
  }

  private func path(_ live: any VelocityModel, _ batch: Batch, _ draws: Draws) -> Path {
    let p = partition
    let drawn = settings.timeDistribution.times(draws.time)
    let far = drawn - draws.target * drawn * settings.consistencyRatio
    let near = drawn - draws.near * drawn * Swift.min(0.05, settings.consistencyRatio)
    let ones = Tensor.ones([p.endToEnd], drawn.dtype)
    let fake = p.adversarialRows

    var data = batch.data
    if settings.dataFree {
      data = oneStep(live, draws.dataNoise, batch.condition)
    }
    if p.adversarial > 0 {
      let fakes = oneStep(live, draws.fakeNoise, batch.condition.rows(fake))
      data = .concatenate([data[0..<fake.lowerBound], fakes, data[p.toDataRows]])
    }
    let distance = Tensor.concatenate([ones, drawn[p.endToEnd..<p.batch]])
    return Path(
      data: data,
      point: interpolate(data: data, noise: draws.noise, time: distance),
      time: .concatenate([
        ones, drawn[p.endToEnd..<fake.lowerBound], twin(drawn[fake]), drawn[p.toDataRows],
      ]),
      target: .concatenate([
        ones.zerosLike, near[p.multiStepRows], far[p.anyStepRows], twin(drawn[fake]),
        drawn[p.toDataRows].zerosLike,
      ]),
      flow: draws.noise - data)
  }

  /// Times of the fake branch: negative, except where its condition marks it.
  private func twin(_ time: Tensor) -> Tensor { settings.conditionShift.isNone ? -time : time }

  /// A condition of the whole batch, shifted on the adversarial rows.
  private func shifted(_ condition: Named<Tensor>) -> Named<Tensor> {
    settings.conditionShift.applied(
      to: condition, rows: partition.adversarialRows, of: partition.batch)
  }

  /// One-step samples without gradient.
  private func oneStep(
    _ network: any VelocityModel, _ noise: Tensor, _ condition: Named<Tensor>
  ) -> Tensor {
    let one = Tensor.ones([noise.shape[0]], .float32)
    return network.evaluate(noise, time: one, target: one.zerosLike, condition: condition)
      .data.stopGradient()
  }

  /// The velocity that rows with data follow: that of the path, or the target network's, with guidance added
  /// on rows whose time is within the range.
  private func enhance(_ path: Path, _ batch: Batch, _ network: any VelocityModel) -> Tensor {
    let (p, ratio) = (partition, settings.enhancedRatio)
    /// A flow in which some rows follow the path or the network.
    func followed(
      _ flow: Tensor, _ rows: [Range<Int>], _ source: Source, ratio: Double
    ) -> Tensor {
      guard !rows.isEmpty, ratio != 0 || source == .network else { return flow }
      return flow.replacing(
        rows, with: follow(path, batch, rows, network, source, ratio: ratio))
    }
    switch settings.source {
    case .data:
      // End-to-end rows have t = 1: below an upper end of 1 the path's need no evaluation.
      let first = settings.enhancedRange.upper > 1 ? 0 : p.endToEnd
      return followed(path.flow, p.realRanges(from: first), .data, ratio: ratio)
    case .network: return followed(path.flow, p.realRanges(), .network, ratio: ratio)
    case .mixed:
      let near = [p.multiStepRows].filter { !$0.isEmpty }
      // The network has learned the guidance that is folded into the path's velocity.
      return followed(
        followed(path.flow, near, .data, ratio: ratio), p.farRanges, .network, ratio: 1)
    }
  }

  private typealias Source = TwinFlowSettings.Source

  /// The velocity that some rows follow.
  private func follow(
    _ path: Path, _ batch: Batch, _ rows: [Range<Int>], _ network: any VelocityModel,
    _ source: Source, ratio: Double
  ) -> Tensor {
    let (x, t, own) = (path.point.rows(rows), path.time.rows(rows), path.flow.rows(rows))
    func velocity(_ x: Tensor, at t: Tensor) -> Tensor {
      enhanced(own, x, at: t, batch, rows, network, source, ratio: ratio)
    }
    let flow = velocity(x, at: t)
    guard source == .network, settings.firstStepSolver == .heun else { return flow }
    // A target time that is nearer ends the step.
    let step = (t - path.target.rows(rows)).minimum(settings.firstStep)
    let wide = step.expanded(toRank: x.rank).cast(to: x.dtype)
    return (flow + velocity(x - flow * wide, at: t - step)) / 2
  }

  /// The velocity of some rows at points and times.
  ///
  /// - Parameter flow: the velocity of their paths.
  private func enhanced(
    _ flow: Tensor, _ x: Tensor, at t: Tensor, _ batch: Batch, _ rows: [Range<Int>],
    _ network: any VelocityModel, _ source: Source, ratio: Double
  ) -> Tensor {
    let isNetworks = source == .network
    let condition = batch.condition.rows(rows)
    if isNetworks, ratio == 1 {
      return network(x, time: t, target: t, condition: condition).stopGradient()
        .cast(to: flow.dtype)
    }
    let both = network(
      .concatenate([x, x]), time: .concatenate([t, t]), target: .concatenate([t, t]),
      condition: condition.appending(batch.unconditional.rows(rows))
    ).stopGradient().split(2)
    let start = isNetworks ? both[0] : flow
    let guidance = (both[0] - both[1]) * ratio
    let replacesFlow = isNetworks || (settings.dataFree && settings.targetEMADecay == 1)
    let range = settings.enhancedRange
    let inside = (t.greater(range.lower) & t.less(range.upper)).expanded(toRank: x.rank)
    return inside.select((replacesFlow ? both[1] : flow) + guidance, start)
  }

  /// The regression target of the student's velocity.
  ///
  /// As published, RCGM's target on all rows with data, if any row of the batch has a far target
  /// time. With the mixed source, multi-step rows learn the path's velocity without its clamp, which would
  /// take the mean of the paths for something like their median.
  private func regressionTarget(
    _ velocity: Tensor, _ flow: Tensor, _ path: Path, _ batch: Batch, _ networks: Networks
  ) -> Tensor {
    let rows = settings.source == .mixed ? partition.farRanges : partition.realRanges()
    guard settings.order >= 1, settings.consistencyRatio != 0, partition.hasFarTargets else {
      return flow.stopGradient()
    }
    let network = settings.targetEMADecay == 1 ? networks.live : networks.target
    let consistent = RCGM(firstStep: settings.firstStep, order: settings.order).target(
      velocity.rows(rows).stopGradient(), flow: flow.rows(rows), x: path.point.rows(rows),
      time: path.time.rows(rows), target: path.target.rows(rows),
      condition: batch.condition.rows(rows), network: network)
    return flow.replacing(rows, with: consistent).stopGradient()
  }

  /// `tan((1 − (|t| − |tt|))·π/2.5) + 1`, and 1 on adversarial rows.
  private func weights(_ path: Path) -> Tensor {
    let gap = path.time.abs() - path.target.abs()
    let weight = ((1 - gap) * (Double.pi / 2.5)).tan() + 1
    return weight.replacing(
      [partition.adversarialRows], with: .ones([partition.adversarial], weight.dtype))
  }

  /// The rectification losses, and the difference of the twin velocities that they reduce.
  private func rectify(
    _ student: Evaluation, _ condition: Named<Tensor>, _ draws: Draws, _ live: any VelocityModel
  ) -> (losses: Tensor, difference: Tensor) {
    let rows = partition.endToEndRows
    let difference = twinDifference(
      live, data: student.data[rows].stopGradient(), condition: condition.rows(rows),
      noise: draws.rectificationNoise, time: draws.rectificationTime,
      shift: settings.conditionShift
    ).clamped(-1...1)
    let velocity = student.velocity[rows]
    let target = (velocity - difference.cast(to: velocity.dtype)).stopGradient()
    return (settings.regressionLoss(velocity, target), difference)
  }
}

/// `F(x_t, −t, −t) − F(x_t, t, t)` on paths to given data, without gradient, in f32 or wider.
///
/// - Parameters:
///   - shift: what marks the fake branch in place of the negative time.
///   - joined: whether both are one evaluation of twice the rows; two evaluations can share the work that
///     does not depend on the time.
func twinDifference(
  _ live: any VelocityModel, data: Tensor, condition: Named<Tensor>, noise: Tensor, time: Tensor,
  shift: ConditionShift = ConditionShift(), joined: Bool = true
) -> Tensor {
  let point = interpolate(data: data, noise: noise, time: time)
  guard joined else {
    let both = [-time, time].map {
      live(point, time: $0, target: $0, condition: condition).stopGradient().wide
    }
    return both[0] - both[1]
  }
  let times = Tensor.concatenate([shift.isNone ? -time : time, time])
  let count = data.shape[0]
  let fake = shift.applied(to: condition, rows: 0..<count, of: count)
  let both = live(
    .concatenate([point, point]), time: times, target: times,
    condition: fake.appending(condition)
  ).stopGradient().wide.split(2)
  return both[0] - both[1]
}
