import Recipe
import Tensors

/// Distribution matching distillation with three networks: Yin and others, "One-step diffusion with
/// distribution matching distillation", 2024, and "Improved distribution matching distillation",
/// 2024, without their regression and adversarial terms.
///
/// A one-step generator, a frozen teacher that knows the data's flow, and a network that learns the
/// flow of the generator's samples; the difference of the latter two moves the generator.
public struct DistributionMatching: Objective {
  /// The knobs.
  public let settings: DistributionMatchingSettings

  /// Makes the objective.
  public init(_ settings: DistributionMatchingSettings) { self.settings = settings }

  static let (teacher, fake) = ("teacher", "fake")

  /// There is no target network.
  public var targetEMADecay: Double { 0 }

  /// The teacher is frozen, and the network of the fakes follows in every step.
  public var auxiliaries: [Auxiliary] {
    [
      Auxiliary(Self.teacher, interval: nil),
      Auxiliary(Self.fake, interval: 1, rate: settings.fakeLearningRate),
    ]
  }

  /// Every how many steps the generator is updated.
  public var interval: Int { settings.interval }

  /// The losses of the generator and of the network of the fakes.
  public func callAsFunction(_ networks: Networks, _ batch: Samples, key: Key) -> Loss {
    let (teacher, fake) = (networks.auxiliaries[Self.teacher]!, networks.auxiliaries[Self.fake]!)
    let keys = key.split(5)
    let (type, row) = (batch.data.type, Shape([batch.data.shape[0]]))
    let one = Tensor.ones(row, .float32)
    let made = networks.live.evaluate(
      keys[0].normal(type.shape, type.dtype), time: one, target: one.zerosLike,
      condition: batch.condition
    ).data
    let sample = made.stopGradient()

    // The generator: x̂ − (what the teacher makes of its noised self − what the other one makes).
    let time = keys[1].uniform(row) * 0.96 + 0.02
    let point = interpolate(data: sample, noise: keys[2].normal(type.shape), time: time)
    let real = teacher.evaluate(point, time: time, target: time, condition: batch.condition).data
    let imagined = fake.evaluate(point, time: time, target: time, condition: batch.condition).data
    let scale = (sample - real).abs().meanPerSample().maximum(1e-4).expanded(toRank: sample.rank)
    let wanted = (sample - (imagined - real) / scale.cast(to: sample.dtype)).stopGradient()
    let matching = RegressionLoss.l2(made, wanted).mean()

    // The fakes' network: flow matching on them.
    let noise = keys[3].normal(type.shape, type.dtype)
    let t = keys[4].uniform(row)
    let flow = fake(
      interpolate(data: sample, noise: noise, time: t), time: t, target: t,
      condition: batch.condition)
    let following = RegressionLoss.l2(flow, noise - sample).mean()
    return Loss(
      total: matching, auxiliaries: Named([(Self.fake, following)]),
      metrics: Named([("loss", matching + following), ("fake", following)]))
  }
}

/// The knobs of distribution matching.
public struct DistributionMatchingSettings: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of keys.
  public static let renamed = ["fake_rate": "fake_learning_rate"]

  /// Every how many steps the generator is updated; the network of the fakes is in every one.
  public var interval = 5
  /// The learning rate of the network of the fakes as a multiple of the generator's.
  public var fakeLearningRate = 1.0

  /// Makes the published settings.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case interval
    case fakeLearningRate = "fake_learning_rate"
  }

  /// Reads the settings; keys that are absent keep their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    interval = try keys.value(.interval, default: interval, in: 1...1000)
    fakeLearningRate = try keys.value(
      .fakeLearningRate, default: fakeLearningRate, where: { $0 > 0 }, "it must be above 0")
  }
}
