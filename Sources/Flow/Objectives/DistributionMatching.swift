import Recipe
import Tensors

/// Distribution matching distillation with three networks: Yin and others, "One-step diffusion with
/// distribution matching distillation", 2024, and "Improved distribution matching distillation",
/// 2024 (DMD2), with its adversarial term and without its regression; and Wang and others, "ProlificDreamer:
/// High-fidelity and diverse text-to-3D generation with variational score distillation", 2023.
///
/// A one-step generator, a frozen teacher of the data's flow, and a network that learns the flow of
/// the generator's samples; the difference of the latter two is the generator's gradient. The two methods
/// differ in its weight.
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
  static func networks(fakeLearningRate: Double) -> [Auxiliary] {
    [
      Auxiliary(teacher, interval: nil),
      Auxiliary(fake, interval: 1, learningRateFactor: fakeLearningRate),
    ]
  }

  /// The random numbers of the generator and of the network of the fakes.
  static func draws(_ keys: [Key], _ type: TensorType) -> Named<Tensor> {
    let row = Shape([type.shape[0]])
    return Named([
      ("start", keys[0].normal(type.shape, type.dtype)), ("time", keys[1].uniform(row)),
      ("noise", keys[2].normal(type.shape, type.dtype)),
      ("following_noise", keys[3].normal(type.shape, type.dtype)),
      ("following_time", keys[4].uniform(row)),
    ])
  }

  /// The frozen teacher, and the network of the fakes, which is updated in every step.
  public var auxiliaries: [Auxiliary] {
    Self.networks(fakeLearningRate: settings.fakeLearningRate) + settings.adversarial.auxiliaries
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
    let keys = key.split(6)
    return DrawnBatch(
      batch,
      draws: Self.draws(keys, batch.data.type)
        .merging(settings.adversarial.draws(keys[5], batch.data.type)))
  }

  /// What a sample has too much of: the difference of the fakes' and the teacher's data, over the mean
  /// distance of the sample from the teacher's.
  static func step(of sample: Tensor, real: Evaluation, imagined: Evaluation) -> Tensor {
    let scale = ((sample - real.data).abs().meanPerSample() + 1e-6)
      .expanded(toRank: sample.rank)
    return (imagined.data - real.data) / scale.cast(to: sample.dtype)
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
    let real = guidedEvaluation(
      of: teacher, point, time: time, batch: batch, guidance: settings.guidance)
    let imagined = fake.evaluate(point, time: time, target: time, condition: batch.condition)
    let step: Tensor
    switch settings.weight {
    case .data: step = Self.step(of: sample, real: real, imagined: imagined)
    case .noise:
      // The difference of the predicted noises, through the noised sample's share of the sample.
      let share = (1 - time).expanded(toRank: sample.rank).cast(to: sample.dtype)
      step = (real.noise - imagined.noise) * share
    }
    let wanted = (sample - step).stopGradient()
    // Half of it, so that its gradient is the step.
    let matching = RegressionLoss.l2(made, wanted).mean() * 0.5

    let following = flowMatching(
      fake, sample, noise: draws["following_noise"]!, time: draws["following_time"]!, batch)
    var (total, further) = (matching, Named([(Self.fake, following)]))
    var metrics = Named([("loss", matching + following), ("fake", following)])
    if let (generator, critic) = settings.adversarial.losses(made, teacher, networks, drawn) {
      total = total + generator
      further[AdversarialSettings.name] = critic
      (metrics["adversarial"], metrics["critic"]) = (generator, critic)
      metrics["loss"] = metrics["loss"]! + generator + critic
    }
    return Loss(total: total, auxiliaries: further, metrics: metrics)
  }
}

/// The loss of flow matching on samples, which get no gradient.
///
/// - Parameter isTwin: whether the network learns it on its twin trajectory, at negative times.
func flowMatching(
  _ network: any VelocityModel, _ sample: Tensor, noise: Tensor, time: Tensor, _ batch: Batch,
  isTwin: Bool = false
) -> Tensor {
  let sample = sample.stopGradient()
  let signed = isTwin ? -time : time
  let flow = network(
    interpolate(data: sample, noise: noise, time: time), time: signed, target: signed,
    condition: batch.condition)
  return RegressionLoss.l2(flow, noise - sample).mean()
}

/// A network's evaluation at (x, t, t) with classifier-free guidance of a scale; 1 is none.
func guidedEvaluation(
  of network: any VelocityModel, _ x: Tensor, time: Tensor, batch: Batch, guidance: Double
) -> Evaluation {
  guard guidance != 1 else {
    return network.evaluate(x, time: time, target: time, condition: batch.condition)
  }
  let both = network(
    .concatenate([x, x]), time: .concatenate([time, time]), target: .concatenate([time, time]),
    condition: batch.condition.appending(batch.unconditional)
  ).split(2)
  let velocity = both[1] + (both[0] - both[1]) * guidance
  return Evaluation(velocity: velocity, at: x, time: time)
}

/// The settings of distribution matching.
public struct DistributionMatchingSettings: Hashable, Sendable {
  /// Every how many steps the generator is updated; the network of the fakes is in every one.
  public var interval = 5
  /// The learning rate of the network of the fakes as a multiple of the generator's.
  public var fakeLearningRate = 1.0
  /// The weight of the generator's gradient.
  public var weight = Weight.data
  /// The scale of the teacher's guidance; 1 is none.
  public var guidance = 1.0
  /// The adversarial term.
  public var adversarial = AdversarialSettings()

  /// The weight of the generator's gradient.
  public enum Weight: String, Codable, Hashable, Sendable, CaseIterable {
    /// One over the mean distance of the sample from the teacher's data: distribution matching.
    case data
    /// That of the predicted noises: variational score distillation.
    case noise
  }

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
    Field(
      "weight", \.weight,
      "weight of the generator's gradient; data: as in DMD, noise: as in VSD"),
    Field("guidance", \.guidance, in: 0..., "scale of the teacher's guidance; 1 is none"),
    Field("adversarial", \.adversarial, "a critic"),
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

  /// The layers that the critic sees.
  public var criticLayers: [Int] { adversarial.isOn ? adversarial.layers : [] }

  /// Guidance needs the teacher without its condition.
  public var needsConditions: Bool { guidance != 1 }
}
