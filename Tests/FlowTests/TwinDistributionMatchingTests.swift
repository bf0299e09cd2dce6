import Foundation
import Tensors
import TestSupport
import Testing

@testable import Flow

/// One network with two heads where data and fakes are normal, so that everything is known in closed form.
@Suite struct TwinDistributionMatchingTests {
  private static let rows = 30
  private static let (mean, deviation) = (0.3, 0.6)
  private static let teacher = GaussianFlow(mean: mean, deviation: deviation)

  /// One flow at negative times and another one at others.
  private struct TwoHeads: VelocityModel {
    let first: any VelocityModel
    let second: any VelocityModel

    func callAsFunction(
      _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
    ) -> Tensor {
      let outputs = [second, first].map {
        $0(x, time: time.abs(), target: target.abs(), condition: condition)
      }
      return time.less(0).expanded(toRank: x.rank).select(outputs[0], outputs[1])
    }
  }

  private static func settings(_ steps: Int) -> TwinDistributionMatchingSettings {
    var settings = TwinDistributionMatchingSettings()
    (settings.simulationSteps, settings.fakeWeight) = (steps, 0.5)
    return settings
  }

  private static func batch(_ x: Tensor) -> Batch {
    Batch(data: x, condition: Named(), unconditional: Named())
  }

  /// Inputs, losses and gradients against the formulas: a generator with an error e, fakes of N(−.2, .9²)
  /// with an error f, data of N(.3, .6²).
  @Test(arguments: [1, 2, 4]) func hasItsGradients(steps: Int) throws {
    let (rows, settings) = (Self.rows, Self.settings(steps))
    let given = Named([
      ("x", Numbers.random([rows, 3], seed: 1)), ("e", Numbers([0.01])), ("f", Numbers([0.02])),
    ])
    let results = try evaluate(given) { given in
      let (e, f) = (given["e"]!, given["f"]!)
      let (own, fakes) = (Self.teacher, GaussianFlow(mean: -0.2, deviation: 0.9))
      var (first, second) = (own, fakes)
      first.error = e.reshape([1, 1])
      second.error = f.reshape([1, 1])
      let live = TwoHeads(first: first, second: second)
      guard let objective = try? TwinDistributionMatching(settings, batch: rows) else {
        preconditionFailure("\(rows) rows")
      }
      let drawn = objective.draw(Self.batch(given["x"]!), key: Key(seed: 3))
      let draws = drawn.draws
      let loss = objective(
        Networks(live: live, target: live, auxiliaries: ["teacher": own]), drawn)

      // What the generator makes: the exact sample of the data, less t·e.
      func made(_ x: Tensor, _ t: Double) -> Tensor {
        let time = Tensor.ones([x.shape[0]], .float32)
        return own.moved(x, from: time * t, to: time.zerosLike) - e.reshape([1, 1]) * t
      }
      let times = [1] + SamplerSettings.preset(steps).times.dropFirst().dropLast()
      var inputs = [draws["start"]!]
      for step in 1..<max(steps, 1) {
        let last = inputs[step - 1]
        let all = made(last, times[step - 1])
        let going = all[(all.shape[0] - draws["simulation_noise_\(step)"]!.shape[0])..<all.shape[0]]
        inputs.append(
          draws["simulation_noise_\(step)"]! * times[step] + going * (1 - times[step]))
      }
      // The rows of a step are the first ones of its inputs; the others go on.
      let counts = objective.rowGroups
      let input = Tensor.concatenate(zip(inputs, counts).map { $0[0..<$1] })
      let sample = Tensor.concatenate(
        zip(inputs, zip(counts, times)).map { made($0[0..<$1.0], $1.1) })
      let far = Tensor.concatenate(
        zip(counts, times).map { Tensor.ones([$0, 1], .float64) * $1 })

      let t = (draws["time"]! * 0.96 + 0.02).expanded([1]).cast(to: .float64)
      let point = t * draws["noise"]! + (1 - t) * sample
      let posterior = { (mean: Double, deviation: Double) -> Tensor in
        let variance = t * t + (1 - t) * (1 - t) * (deviation * deviation)
        return (point - (1 - t) * mean) * (1 - t) * (deviation * deviation) / variance + mean
      }
      let (real, fake) = (posterior(0.3, 0.6), posterior(-0.2, 0.9) - t * f.reshape([1, 1]))
      let move = (fake - real) / ((sample - real).abs().mean([1]) + 1e-6).expanded([1])

      let after = draws["following_time"]!
      let wide = after.expanded([1]).cast(to: .float64)
      let noise = draws["following_noise"]!
      let flow = fakes(
        wide * noise + (1 - wide) * sample, time: after, target: after, condition: Named())
      let excess = flow + f.reshape([1, 1]) - (noise - sample)
      let twin = loss.auxiliaries["fake"]!
      return Named([
        ("input", loss.details["input"]!), ("wanted input", input),
        ("sample", loss.details["sample"]!), ("wanted sample", sample),
        ("loss", loss.total), ("wanted loss", move.squared().mean() * 0.5),
        ("fake", twin), ("wanted fake", excess.squared().mean() * 0.5),
        // ∂x̂/∂e = −t, and both losses are halves of means of squares.
        ("e", loss.total.gradients(for: [e])[0]),
        ("wanted e", (move * far * -1).mean().reshape([1])),
        ("f", twin.gradients(for: [f])[0]), ("wanted f", excess.mean().reshape([1])),
        ("none", loss.total.gradients(for: [f])[0] + twin.gradients(for: [e])[0]),
      ])
    }
    for name in ["input", "sample", "loss", "fake", "e", "f"] {
      // Times are f32.
      expectNear(results[name]!, results["wanted \(name)"]!, relative: 2e-6, name)
    }
    #expect(results["none"]!.values == [0])
  }

  /// The generator and the flow of its samples come to be those of the data, from others.
  @Test(arguments: [1, 4]) func trainsToTheDataInOneStep(steps: Int) throws {
    /// The flow of N(b, a²).
    struct Flow: VelocityModel {
      let a: Tensor
      let b: Tensor
      func callAsFunction(
        _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
      ) -> Tensor {
        let (t, tt) = (time.expanded([1]), target.expanded([1]))
        let spread = { (t: Tensor) in (t * t + (1 - t) * (1 - t) * a * a).sqrt() }
        let centred = x - (1 - t) * b
        let instant = centred * (t - (1 - t) * a * a) / (spread(t) * spread(t)) - b
        let moved = centred * spread(tt) / spread(t) + (1 - tt) * b
        let isPoint = (t - tt).abs().less(1e-6)
        return isPoint.select(instant, (x - moved) / isPoint.select(t.zerosLike + 1, t - tt))
      }
    }
    let (rows, settings) = (256, Self.settings(steps))
    let types = [TensorType([4], .float32), TensorType([], .float32), TensorType([], .float32)]
    let objective = try TwinDistributionMatching(settings, batch: rows)
    let functions = try ["", "fake"].map { network in
      try HostFunction(types) { inputs in
        let numbers = inputs[0].split(4).map { $0.reshape([]) }
        let live = TwoHeads(
          first: Flow(a: numbers[0], b: numbers[1]), second: Flow(a: numbers[2], b: numbers[3]))
        let drawn = objective.draw(
          Self.batch(.zeros([rows, 2], .float32)),
          key: Key(seed: 5).folded(inputs[1].cast(to: .int32)))
        let networks = Networks(
          live: live, target: live, auxiliaries: ["teacher": Self.teacher])
        guard
          let found = try? objective.gradients(
            networks, drawn, microBatches: 1, for: [(network, Named([("all", inputs[0])]))])
        else { preconditionFailure("\(rows) rows") }
        return [inputs[0] - found.gradients[0]["all"]! * inputs[2]]
      }
    }
    var numbers = Numbers([1.1, -0.5, 0.4, 0.8], [4], .float32)
    let count = 600
    for step in 0..<count {
      let rate = 0.08 * (1 - Double(step) / Double(count))
      numbers = try functions[step % settings.interval == 0 ? 0 : 1]([
        numbers, Numbers([Double(step)], [], .float32), Numbers([rate], [], .float32),
      ])[0]
    }
    for (number, wanted) in zip(
      numbers.values, [Self.deviation, Self.mean, Self.deviation, Self.mean])
    {
      #expect(abs(number - wanted) < 0.04, "\(numbers.values)")
    }
  }

  @Test func rowsAreSharedBySteps() throws {
    let objective = try TwinDistributionMatching(Self.settings(4), batch: 10)
    #expect(objective.rowGroups == [3, 3, 2, 2])
    #expect(objective.rowGroups(ofDraw: "simulation_noise_2") == [2, 2])
    #expect(objective.rowGroups(ofDraw: "start") == [3, 3, 2, 2])
    #expect(throws: FlowError.fewerRowsThanSteps(batch: 3, steps: 4)) {
      try TwinDistributionMatching(Self.settings(4), batch: 3)
    }
    #expect(
      throws: FlowError.indivisibleGroup(
        name: "The group of simulated step 1", rows: 3, microBatches: 2)
    ) { try objective.microBatch(of: 2) }
  }
}
