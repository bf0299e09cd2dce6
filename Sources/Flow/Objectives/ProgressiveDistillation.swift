import Recipe
import Tensors

/// Progressive distillation: Salimans and Ho, "Progressive distillation for fast sampling of diffusion
/// models", arXiv 2202.00512, for the velocity.
///
/// The student learns to take in one step what the teacher, the network that training starts from, takes in
/// two. A run halves the number of steps once; the next run starts from it.
public struct ProgressiveDistillation: Objective {
  /// The settings.
  public let settings: ProgressiveSettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: ProgressiveSettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  private static let teacher = "teacher"

  /// The frozen teacher.
  public var auxiliaries: [Auxiliary] { [Auxiliary(Self.teacher, interval: nil)] }

  /// One group.
  public var rowGroups: [Int] { [batch] }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    ProgressiveDistillation(settings, batch: try batch.shared(by: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let keys = key.split(2)
    let (type, row) = (batch.data.type, Shape([batch.data.shape[0]]))
    let steps = Double(settings.steps)
    let number = (keys[0].uniform(row) * steps).floor().minimum(steps - 1)
    return DrawnBatch(
      batch,
      draws: Named([
        ("time", (number + 1) / steps), ("noise", keys[1].normal(type.shape, type.dtype)),
      ]))
  }

  /// The loss of a batch with its draws.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, t) = (drawn.batch, drawn.draws["time"]!)
    let teacher = networks.auxiliaries[Self.teacher]!
    let point = interpolate(data: batch.data, noise: drawn.draws["noise"]!, time: t)
    let step = 1 / Double(settings.steps)
    // Rounded times may fall a little below 0.
    let end = (t - step).maximum(0)

    var (now, mean) = (point, point.zerosLike)
    for half in 0..<2 {
      let time = t - step / 2 * Double(half)
      let next = half == 0 ? t - step / 2 : end
      let target = settings.teacherTargets == .next ? next : time
      let both = settings.guidance == 1 ? nil : batch.unconditional
      let velocity = self.velocity(
        of: teacher, now, time: time, target: target, batch, unconditional: both)
      now = now - velocity * (step / 2)
      mean = mean + velocity * 0.5
    }
    let velocity = networks.live(point, time: t, target: end, condition: batch.condition)
    let square = RegressionLoss.l2(velocity, mean.stopGradient())
    // max(SNR, 1) on the data: the square of their error is t² that of the velocity's.
    let weight = (t * t).maximum((1 - t) * (1 - t))
    let loss = (square * weight.cast(to: square.dtype)).mean()
    return Loss(
      total: loss, metrics: Named([("loss", loss), ("mean_square", square.mean())]),
      details: Named([("x_t", point), ("velocity", velocity), ("regression", mean)]))
  }

  private func velocity(
    of teacher: any VelocityModel, _ x: Tensor, time: Tensor, target: Tensor, _ batch: Batch,
    unconditional: Named<Tensor>?
  ) -> Tensor {
    guard let unconditional else {
      return teacher(x, time: time, target: target, condition: batch.condition)
    }
    let both = teacher(
      .concatenate([x, x]), time: .concatenate([time, time]),
      target: .concatenate([target, target]),
      condition: batch.condition.appending(unconditional)
    ).split(2)
    return both[1] + (both[0] - both[1]) * settings.guidance
  }
}

/// The settings of progressive distillation.
public struct ProgressiveSettings: Hashable, Sendable {
  /// Which target time the teacher gets.
  public enum TeacherTargets: String, Codable, Hashable, Sendable, CaseIterable {
    /// The current time: a base model of velocities.
    case current
    /// That of its next point: the result of another run.
    case next
  }

  /// The number of the student's steps; the teacher takes twice as many.
  public var steps = 25
  /// Which target time the teacher gets.
  public var teacherTargets = TeacherTargets.current
  /// The scale of the teacher's guidance; 1 is none.
  public var guidance = 1.0

  /// Makes the settings of a first run.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "steps", \.steps, in: 1...1000,
      "number of the student's steps, of which the teacher takes two"),
    Field(
      "teacher_targets", \.teacherTargets,
      "target time that the teacher gets; next: it is the result of a run"),
    Field("guidance", \.guidance, in: 0..., "scale of the teacher's guidance; 1 is none"),
  ]
}

extension ProgressiveSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "progressive-distillation"

  /// The description in the reference.
  public static let summary = """
    A student that takes in one step what the network that it starts from takes in two. A run halves the
    number of steps once: the next one starts from its result, with `steps` halved and `teacher_targets:
    next`.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? {
    ProgressiveDistillation(self, batch: batch)
  }

  /// The teacher is a trained network.
  public var needsStart: Bool { true }

  /// Guidance needs the teacher without its condition.
  public var needsConditions: Bool { guidance != 1 }
}
