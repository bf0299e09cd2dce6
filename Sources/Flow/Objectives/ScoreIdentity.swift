import Recipe
import Tensors

/// Score identity distillation: Zhou and others, "Score identity distillation: Exponentially fast
/// distillation of pretrained diffusion models for one-step generation", arXiv 2404.04057.
///
/// A one-step generator, a frozen teacher, and a network that learns the generator's samples, as in
/// distribution matching; here the gradient also goes through the two networks' inputs.
public struct ScoreIdentity: Objective {
  /// The settings.
  public let settings: ScoreIdentitySettings
  private let batch: Int

  /// Makes the objective for a batch size.
  public init(_ settings: ScoreIdentitySettings, batch: Int) {
    (self.settings, self.batch) = (settings, batch)
  }

  /// Those of distribution matching.
  public var auxiliaries: [Auxiliary] {
    DistributionMatching.networks(fakeLearningRate: settings.fakeLearningRate)
  }

  /// Every how many steps the generator is updated.
  public var interval: Int { settings.interval }

  /// One group: every row contributes to both losses.
  public var rowGroups: [Int] { [batch] }

  /// The objective on one micro-batch.
  public func microBatch(of count: Int) throws -> any Objective {
    ScoreIdentity(settings, batch: try batch.shared(by: count))
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    DrawnBatch(batch, draws: DistributionMatching.draws(key.split(5), batch.data.type))
  }

  /// The losses of the generator and of the network of the fakes.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, draws) = (drawn.batch, drawn.draws)
    let (teacher, fake) = (
      networks.auxiliaries[DistributionMatching.teacher]!,
      networks.auxiliaries[DistributionMatching.fake]!
    )
    let one = Tensor.ones([batch.data.shape[0]], .float32)
    let made = networks.live.evaluate(
      draws["start"]!, time: one, target: one.zerosLike, condition: batch.condition
    ).data
    let time = draws["time"]! * 0.96 + 0.02
    let point = interpolate(data: made, noise: draws["noise"]!, time: time)
    let real = guidedEvaluation(
      of: teacher, point, time: time, batch: batch, guidance: settings.guidance
    ).data.wide
    let imagined = fake.evaluate(point, time: time, target: time, condition: batch.condition)
      .data.wide
    // Equation 23 of the paper, with the weight of its code: (r − i)·((r − x) − α·(r − i)).
    let difference = real - imagined
    let product = difference * ((real - made.wide) - difference * settings.alpha)
    let scale = (made.wide - real).abs().meanPerSample().maximum(1e-5).stopGradient()
    let identity = (product.meanPerSample() / scale).mean()

    let following = flowMatching(
      fake, made, noise: draws["following_noise"]!, time: draws["following_time"]!, batch)
    return Loss(
      total: identity, auxiliaries: Named([(DistributionMatching.fake, following)]),
      metrics: Named([
        ("loss", identity + following), ("identity", identity), ("fake", following),
      ]))
  }
}

/// The settings of score identity distillation.
public struct ScoreIdentitySettings: Hashable, Sendable {
  /// The weight α of the squared difference, which is subtracted.
  public var alpha = 1.0
  /// Every how many steps the generator is updated; the network of the fakes is in every one.
  public var interval = 1
  /// The learning rate of the network of the fakes as a multiple of the generator's.
  public var fakeLearningRate = 1.0
  /// The scale of the teacher's guidance; 1 is none.
  public var guidance = 1.0

  /// Makes the published settings.
  public init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("alpha", \.alpha, in: -1...2, "weight of the squared difference, which is subtracted"),
    Field("interval", \.interval, in: 1...1000, "every how many steps the generator is updated"),
    Field(
      "fake_learning_rate", \.fakeLearningRate, where: { $0 > 0 }, else: "it must be above 0",
      "the third network's learning rate, as a multiple of the generator's"),
    Field("guidance", \.guidance, in: 0..., "scale of the teacher's guidance; 1 is none"),
  ]
}

extension ScoreIdentitySettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "score-identity"

  /// The description in the reference.
  public static let summary = """
    Score identity distillation (SiD): the networks of distribution matching, with a gradient through their
    inputs.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) -> (any Objective)? { ScoreIdentity(self, batch: batch) }

  /// The teacher is a trained network.
  public var needsStart: Bool { true }

  /// Guidance needs the teacher without its condition.
  public var needsConditions: Bool { guidance != 1 }
}
