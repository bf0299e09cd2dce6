import Recipe
import Tensors

/// Distribution matching distillation with three networks: Yin and others, "One-step diffusion with
/// distribution matching distillation", 2024, and "Improved distribution matching distillation",
/// 2024, without their regression and adversarial terms.
///
/// A one-step generator, a frozen teacher of the data's flow, and a network that learns the flow of
/// the generator's samples; the difference of the latter two is the generator's gradient.
public struct DistributionMatching: Objective {
  /// The settings.
  public let settings: DistributionMatchingSettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: DistributionMatchingSettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  static let (teacher, fake) = ("teacher", "fake")

  /// The frozen teacher, and the network of the fakes, which is updated in every step.
  public var auxiliaries: [Auxiliary] {
    [
      Auxiliary(Self.teacher, interval: nil),
      Auxiliary(Self.fake, interval: 1, learningRateFactor: settings.fakeLearningRate),
    ]
  }

  /// Every how many steps the generator is updated.
  public var interval: Int { settings.interval }

  /// One group: every row contributes to both losses.
  public var rowGroups: [Int] { [batch] }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    DistributionMatching(settings, batch: try batch.shared(by: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let keys = key.split(5)
    let (type, row) = (batch.data.type, Shape([batch.data.shape[0]]))
    return DrawnBatch(
      batch,
      draws: Named([
        ("start", keys[0].normal(type.shape, type.dtype)), ("time", keys[1].uniform(row)),
        ("noise", keys[2].normal(type.shape)),
        ("following_noise", keys[3].normal(type.shape, type.dtype)),
        ("following_time", keys[4].uniform(row)),
      ]))
  }

  /// The losses of the generator and of the network of the fakes.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, draws) = (drawn.batch, drawn.draws)
    let (teacher, fake) = (networks.auxiliaries[Self.teacher]!, networks.auxiliaries[Self.fake]!)
    let one = Tensor.ones([batch.data.shape[0]], .float32)
    let made = networks.live.evaluate(
      draws["start"]!, time: one, target: one.zerosLike,
      condition: batch.condition
    ).data
    let sample = made.stopGradient()

    // The generator's target: x̂ minus the difference of the fakes' and the teacher's predictions
    // of the noised x̂.
    let time = draws["time"]! * 0.96 + 0.02
    let point = interpolate(data: sample, noise: draws["noise"]!, time: time)
    let real = teacher.evaluate(point, time: time, target: time, condition: batch.condition).data
    let imagined = fake.evaluate(point, time: time, target: time, condition: batch.condition).data
    let scale = (sample - real).abs().meanPerSample().maximum(1e-4).expanded(toRank: sample.rank)
    let wanted = (sample - (imagined - real) / scale.cast(to: sample.dtype)).stopGradient()
    let matching = RegressionLoss.l2(made, wanted).mean()

    // The network of the fakes: flow matching on generated samples.
    let noise = draws["following_noise"]!
    let t = draws["following_time"]!
    let flow = fake(
      interpolate(data: sample, noise: noise, time: t), time: t, target: t,
      condition: batch.condition)
    let following = RegressionLoss.l2(flow, noise - sample).mean()
    return Loss(
      total: matching, auxiliaries: Named([(Self.fake, following)]),
      metrics: Named([("loss", matching + following), ("fake", following)]))
  }
}

/// The settings of distribution matching.
public struct DistributionMatchingSettings: Hashable, Sendable {
  /// Every how many steps the generator is updated; the network of the fakes is in every one.
  public var interval = 5
  /// The learning rate of the network of the fakes as a multiple of the generator's.
  public var fakeLearningRate = 1.0

  /// Makes the published settings.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("interval", \.interval, in: 1...1000, "every how many steps the generator is updated"),
    Field(
      "fake_learning_rate", \.fakeLearningRate, where: { $0 > 0 }, else: "it must be above 0",
      "the third network's learning rate, as a multiple of the generator's"
    ).was("fake_rate"),
  ]
}

extension DistributionMatchingSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "distribution-matching"

  /// The description in the reference.
  public static let summary = """
    Distillation with three networks: a one-step generator, the frozen teacher that it starts from, and
    a network that learns its samples.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { DistributionMatching(self, batch: batch) }

  /// The teacher is a trained network.
  public var needsStart: Bool { true }
}
