import Recipe
import Tensors

/// The adversarial term of an objective: a critic on the teacher's features of noised samples.
public struct AdversarialSettings: Hashable, Sendable {
  /// The weight of the generator's loss against the critic; 0 leaves the critic out.
  public var weight = 0.0
  /// The layers of the teacher whose features the critic sees.
  public var layers = [1]
  /// The hidden width of the critic's heads.
  public var hidden = 64
  /// The critic's learning rate as a multiple of the generator's.
  public var learningRate = 1.0
  /// The weight of the critic's change under a little noise on real samples.
  public var r1 = 0.0
  /// The standard deviation of that noise.
  public var r1Noise = 0.1

  /// Makes settings without a critic.
  public init() {}

  /// Makes settings with a critic of a weight.
  public init(weight: Double) { self.weight = weight }

  /// Whether there is a critic.
  var isOn: Bool { weight > 0 }

  static let name = "critic"

  /// The critic, which is updated in every step.
  var auxiliaries: [Auxiliary] {
    guard isOn else { return [] }
    return [
      Auxiliary(
        Self.name, interval: 1, learningRateFactor: learningRate,
        critic: CriticHeads(layers: layers, hidden: hidden))
    ]
  }

  /// The random numbers of a step.
  func draws(_ key: Key, _ type: TensorType) -> Named<Tensor> {
    guard isOn else { return Named() }
    let keys = key.split(5)
    let row = Shape([type.shape[0]])
    return Named([
      ("critic_time", keys[0].uniform(row)),
      ("critic_noise", keys[1].normal(type.shape, type.dtype)),
      ("critic_real_time", keys[2].uniform(row)),
      ("critic_real_noise", keys[3].normal(type.shape, type.dtype)),
      ("critic_change", keys[4].normal(type.shape, type.dtype)),
    ])
  }

  /// The losses of the generator, times its weight, and of the critic; nil without one.
  ///
  /// - Parameters:
  ///   - made: the generator's samples, with their gradient.
  ///   - teacher: the network whose features the critic sees.
  func losses(
    _ made: Tensor, _ teacher: any VelocityModel, _ networks: Networks, _ drawn: DrawnBatch
  ) -> (generator: Tensor, critic: Tensor)? {
    guard isOn else { return nil }
    guard let teacher = teacher as? any FeatureModel, let critic = networks.critics[Self.name]
    else { preconditionFailure("there is no critic, or the teacher has no features") }
    let (batch, draws) = (drawn.batch, drawn.draws)
    func judged(_ sample: Tensor, _ time: Tensor, _ noise: Tensor) -> Tensor {
      let t = time * 0.96 + 0.02
      let point = interpolate(data: sample, noise: noise, time: t)
      return critic(
        teacher.features(after: layers, point, time: t, target: t, condition: batch.condition))
    }
    let (time, noise) = (draws["critic_time"]!, draws["critic_noise"]!)
    let (realTime, realNoise) = (draws["critic_real_time"]!, draws["critic_real_noise"]!)
    let generator = AdversarialLoss.generator(judged(made, time, noise)) * weight
    let real = judged(batch.data, realTime, realNoise)
    var loss = AdversarialLoss.critic(
      real: real, made: judged(made.stopGradient(), time, noise))
    if r1 > 0 {
      // In place of the gradient's norm (R1): Lin and others, "Diffusion adversarial post-training for
      // one-step video generation", 2025.
      let changed = judged(
        batch.data + draws["critic_change"]! * r1Noise, realTime, realNoise)
      loss = loss + (real.wide - changed.wide).squared().mean() * r1
    }
    return (generator, loss)
  }
}

extension AdversarialSettings: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A critic: a head on the teacher's features after each of some layers, which tells real samples from
    made ones.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("weight", \.weight, in: 0..., "weight of the generator's loss; 0 leaves the critic out"),
    Field(
      "layers", \.layers,
      where: { !$0.isEmpty && $0.allSatisfy { $0 >= 0 } && Set($0).count == $0.count },
      else: "it must be different layers, from 0", "layers whose features the critic sees"),
    Field("hidden", \.hidden, in: 1...65_536, "hidden width of the critic's heads"),
    Field(
      "learning_rate", \.learningRate, where: { $0 > 0 }, else: "it must be above 0",
      "the critic's learning rate, as a multiple of the generator's"),
    Field(
      "r1", \.r1, in: 0...,
      "weight of the critic's change under noise on real samples, for R1"),
    Field(
      "r1_noise", \.r1Noise, in: 0..., "standard deviation of that noise"),
  ]
}
