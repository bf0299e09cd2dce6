import Recipe
import Tensors

/// Distribution matching distillation with one trained network, Twin-DMD, arXiv 2609.03796: its output at
/// positive times is the generator, that at negative times, from a second head, the flow of the generator's
/// samples. A frozen copy of the network that training starts from is the teacher.
///
/// The generator's inputs are noise and, by backward simulation as in "Improved distribution matching
/// distillation", Yin and others, 2024, what it makes of noise itself in the steps before. The flow is learned
/// in every step, the generator moved every few steps, in which the two losses are added.
public struct TwinDistributionMatching: Objective {
  /// The settings.
  public let settings: TwinDistributionMatchingSettings
  /// The rows whose input is that of each simulated step, consecutive.
  public let rowGroups: [Int]

  /// Makes the objective for a batch size, whose rows the simulated steps share as equally as they can.
  ///
  /// - Throws: `FlowError.fewerRowsThanSteps`.
  public init(_ settings: TwinDistributionMatchingSettings, batch: Int) throws(FlowError) {
    let steps = settings.simulationSteps
    guard batch >= steps else { throw .fewerRowsThanSteps(batch: batch, steps: steps) }
    self.init(
      settings, rowGroups: (0..<steps).map { batch / steps + ($0 < batch % steps ? 1 : 0) })
  }

  private init(_ settings: TwinDistributionMatchingSettings, rowGroups: [Int]) {
    (self.settings, self.rowGroups) = (settings, rowGroups)
  }

  static let (teacher, fake) = (DistributionMatching.teacher, DistributionMatching.fake)

  /// The frozen teacher.
  public var auxiliaries: [Auxiliary] { [Auxiliary(Self.teacher, interval: nil)] }

  /// Every how many steps the generator's loss is minimized.
  public var interval: Int { settings.interval }

  /// That of the fakes, which the network learns in every step.
  public var twinLoss: String? { Self.fake }

  /// The rows that go on from a simulated step, in groups.
  public func rowGroups(ofDraw name: String) -> [Int] {
    for step in 1..<max(rowGroups.count, 1) where name == Self.noise(after: step) {
      return Array(rowGroups[step...])
    }
    return rowGroups
  }

  /// The objective on one micro-batch, with its share of the rows of each step.
  public func microBatch(of count: Int) throws -> any Objective {
    for (step, rows) in rowGroups.enumerated() where rows % count != 0 {
      throw FlowError.indivisibleGroup(
        name: "The group of simulated step \(step + 1)", rows: rows, microBatches: count)
    }
    return TwinDistributionMatching(settings, rowGroups: rowGroups.map { $0 / count })
  }

  /// The name of the noise that a step's samples are mixed with for the next one.
  private static func noise(after step: Int) -> String { "simulation_noise_\(step)" }

  /// The rows that go on from a step, which is counted from 1.
  private func rows(after step: Int) -> Range<Int> {
    rowGroups[..<step].reduce(0, +)..<rowGroups.reduce(0, +)
  }

  /// Draws all random numbers of a step.
  public func draw(_ batch: Batch, key: Key) -> DrawnBatch {
    let (keys, type) = (key.split(5 + rowGroups.count), batch.data.type)
    var draws = DistributionMatching.draws(Array(keys[..<5]), type)
    for step in 1..<max(rowGroups.count, 1) {
      draws[Self.noise(after: step)] = keys[4 + step].normal(
        type.shape.replacing(0, with: rows(after: step).count), type.dtype)
    }
    return DrawnBatch(batch, draws: draws)
  }

  /// The losses of the generator and of the fakes.
  public func callAsFunction(_ networks: Networks, _ drawn: DrawnBatch) -> Loss {
    let (batch, draws) = (drawn.batch, drawn.draws)
    let (live, teacher) = (networks.live, networks.auxiliaries[Self.teacher]!)
    let (input, inputTime) = simulated(live, batch, draws)
    let made = live.evaluate(
      input, time: inputTime, target: inputTime.zerosLike, condition: batch.condition
    ).data
    let sample = made.stopGradient()

    let time = draws["time"]! * 0.96 + 0.02
    let point = interpolate(data: sample, noise: draws["noise"]!, time: time)
    let real = guidedEvaluation(
      of: teacher, point, time: time, batch: batch, guidance: settings.guidance)
    let imagined = live.evaluate(
      point, time: -time, target: -time, condition: batch.condition)
    let step = DistributionMatching.step(of: sample, real: real, imagined: imagined)
    // Half of the square, so that its gradient is the step.
    let matching = RegressionLoss.l2(made, (sample - step).stopGradient()).mean() * 0.5

    let following =
      flowMatching(
        live, sample, noise: draws["following_noise"]!, time: draws["following_time"]!, batch,
        isTwin: true) * settings.fakeWeight
    return Loss(
      total: matching, auxiliaries: Named([(Self.fake, following)]),
      metrics: Named([
        ("loss", matching + following), ("matching", matching), ("fake", following),
      ]),
      details: Named([("input", input), ("input_time", inputTime), ("sample", sample)]))
  }

  /// The generator's inputs, without gradient, and their times: noise in the first group of rows, and in each
  /// further one a sample of the step before, mixed with fresh noise.
  private func simulated(
    _ live: any VelocityModel, _ batch: Batch, _ draws: Named<Tensor>
  ) -> (input: Tensor, time: Tensor) {
    let times = settings.times
    var input = draws["start"]!
    for step in 1..<max(times.count, 1) {
      let rows = rows(after: step)
      let time = Tensor.ones([rows.count], .float32)
      let made = live.evaluate(
        input[rows], time: time * times[step - 1], target: time.zerosLike,
        condition: batch.condition.rows(rows)
      ).data
      let next = interpolate(
        data: made, noise: draws[Self.noise(after: step)]!, time: time * times[step])
      input = .concatenate([input[0..<rows.lowerBound], next])
    }
    let time = Tensor.concatenate(
      zip(rowGroups, times).map { Tensor.ones([$0], .float32) * $1 })
    return (input.stopGradient(), time)
  }
}

/// The settings of distribution matching by one network with two heads.
public struct TwinDistributionMatchingSettings: Hashable, Sendable {
  /// Every how many steps the generator is updated; the fakes are learned in every one.
  public var interval = 2
  /// The weight of the fakes' loss beside the generator's.
  public var fakeWeight = 1.0
  /// The steps of the generator that are simulated; 1 has pure noise as its only input.
  public var simulationSteps = 4
  /// The scale of the teacher's guidance; 1 is none.
  public var guidance = 1.0

  /// Makes the published settings.
  public init() {}

  /// The times of the simulated steps: those of sampling in as many steps, from pure noise.
  var times: [Double] {
    [1] + SamplerSettings.preset(simulationSteps).times.dropFirst().dropLast()
  }

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "interval", \.interval, in: 1...1000,
      "steps between the generator's updates; its samples are learned in each"),
    Field(
      "fake_weight", \.fakeWeight, where: { $0 > 0 }, else: "it must be above 0",
      "weight of the loss on the generator's samples, beside the generator's"),
    Field(
      "simulation_steps", \.simulationSteps, in: 1...4,
      "steps of sampling that the generator's inputs come from; 1: noise only"),
    Field("guidance", \.guidance, in: 0..., "scale of the teacher's guidance; 1 is none"),
  ]
}

extension TwinDistributionMatchingSettings: ObjectiveSettings {
  /// The name in recipes.
  public static let kind = "twin-dmd"

  /// The description in the reference.
  public static let summary = """
    Distribution matching by one network with two output heads: one is the generator, the other, at
    negative times, learns the generator's samples. The network that it starts from is the frozen teacher.
    The generator's inputs are noise and its own samples, noised again as in sampling with
    `simulation_steps`. For the networks `dit`, `text-dit` and `perceptron`, without LoRA.
    """

  /// The objective on batches of a size.
  public func objective(batch: Int) throws -> (any Objective)? {
    try TwinDistributionMatching(self, batch: batch)
  }

  /// The teacher is a trained network.
  public var needsStart: Bool { true }

  /// The fakes are learned at negative times.
  public var needsTwin: Bool { true }

  /// The fakes have a head of their own.
  public var needsTwinHead: Bool { true }

  /// Guidance needs the teacher without its condition.
  public var needsConditions: Bool { guidance != 1 }
}
