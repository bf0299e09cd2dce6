import Tensors
import TestSupport
import Testing

@testable import Flow

@Suite struct SamplerTests {
  /// Steps, order, gaps, and the grid's times.
  static let grids: [(Int, Int, [Double], [Double])] = [
    (1, 1, [0, 0], [1, 0]), (4, 1, [0, 0], [1, 0.75, 0.5, 0.25, 0]),
    (1, 1, [0.125, 0.5], [0.875, 0]), (2, 1, [0.125, 0.5], [0.875, 0.5, 0]),
    (3, 1, [0.25, 0.25], [0.75, 0.5, 0.25, 0]), (2, 1, [0.5, 0], [0.5, 0.25, 0]),
    // With order 2 half as many steps are made, rounded up.
    (5, 2, [0, 0], [1, 2.0 / 3, 1.0 / 3, 0]), (4, 2, [0.25, 0.25], [0.75, 0.25, 0]),
  ]

  @Test(arguments: grids)
  func gridsAreEvenWithoutATransformation(
    count: Int, order: Int, gaps: [Double], times: [Double]
  ) {
    var settings = SamplerSettings()
    (settings.count, settings.order, settings.gaps) = (count, order, gaps)
    expectClose(settings.times, times, absolute: 1e-15)
  }

  /// A style, and its targets on the grid 1, ½, 0.
  static let styles: [(SamplerSettings.Style, [Double])] = [
    (.few, [0, 0]), (.multi, [1, 0.5]), (.any, [0.5, 0]),
  ]

  @Test(arguments: styles)
  func targetsFollowTheStyle(_ style: SamplerSettings.Style, _ targets: [Double]) {
    var settings = SamplerSettings.euler(2)
    settings.style = style
    #expect(settings.steps.map(\.target) == targets)
  }

  @Test("An SDE has a separate ratio in each step")
  func sde() {
    var settings = SamplerSettings.euler(4)
    settings.stochasticity = .sde
    // clamp(|Δt|·2t / t'²)
    expectClose(settings.steps.map(\.stochastic), [0.5 / 0.5625, 1, 1, 1])
    settings.count = 16
    let steps = settings.steps
    expectClose(
      steps.map(\.stochastic),
      steps.map { $0.next == 0 ? 1 : min(1, 0.125 * $0.time / ($0.next * $0.next)) })
    #expect(!steps.last!.needsNoise)
  }

  @Test("Heun's second call follows the style", arguments: styles)
  func secondCall(_ style: SamplerSettings.Style, _ targets: [Double]) throws {
    var settings = SamplerSettings()
    (settings.count, settings.order, settings.style) = (4, 2, style)
    let recorder = Recorder(TowardsData(data: .zeros([], .float32)))
    let results = try evaluate([Numbers.random([2, 3], .float32)]) { inputs in
      _ = Sampler(settings).trajectory(
        recorder, noise: inputs[0], condition: Named()
      ) { _ in preconditionFailure("no step has noise") }
      return recorder.times + recorder.targets
    }.map { $0.values[0] }
    #expect(Array(results[..<4]) == [1, 0.5, 0.5, 0])
    let second: [Double] =
      switch style {
      case .few: [0, 0]
      case .multi, .any: [0.5, 0]
      }
    #expect(Array(results[4...]) == [targets[0], second[0], targets[1], second[1]])
  }

  /// Presets, a stochastic differential equation, Heun's correction, extrapolation.
  static let settings: [SamplerSettings] =
    [1, 2, 4, 8, 30].map { .preset($0) }
    + [SamplerSettings.euler(5)].flatMap { euler in
      var (sde, heun, ahead) = (euler, euler, euler)
      sde.stochasticity = .sde
      (heun.order, heun.gaps) = (2, [0.01, 0])
      ahead.extrapolation = 0.3
      return [euler, sde, heun, ahead]
    }

  @Test("A network that knows the data generates it with any settings", arguments: settings)
  func reachesTheData(_ settings: SamplerSettings) throws {
    let data = Numbers.random([2, 3], seed: 1, .float32)
    let noise = Numbers.random([2, 3], seed: 2, in: -3...3, .float32)
    let sample = try evaluate([data, noise]) { inputs in
      [
        Sampler(settings)(
          TowardsData(data: inputs[0]), noise: inputs[1], condition: Named(), key: Key(seed: 1))
      ]
    }[0]
    #expect(sample.dtype == .float32)
    expectClose(sample, data, absolute: 1e-4)
  }

  /// Long settings with noise, with extrapolation, with Heun's correction and an even count.
  static let long: [SamplerSettings] = [
    .preset(10), .preset(11),
    {
      var settings = SamplerSettings.preset(12)
      (settings.stochasticity, settings.extrapolation) = (.ratio(0.5), 0.3)
      return settings
    }(),
    {
      var settings = SamplerSettings.preset(20)
      (settings.order, settings.style) = (2, .any)
      return settings
    }(),
  ]

  @Test("One compiled step serves any number of steps, any style and grid")
  func oneProgram() throws {
    let noise = Numbers.random([2, 3], seed: 2, in: -2...2, .float32)
    let fresh = (0..<30).map { Numbers.random([2, 3], seed: UInt64(100 + $0), in: -2...2) }
    let scalars = SamplerSettings.euler(1).steps[0].named.names
    let like = Named(
      ["x", "data", "noise", "fresh"].map { ($0, Numbers([2, 3]) { _ in 0 }) }
        + scalars.map { ($0, Numbers([0], [])) })
    for corrects in [false, true] {
      let step = try NamedFunction(like) { given in
        let next = Sampler.advance(
          Sampler.State(x: given["x"]!, data: given["data"]!, noise: given["noise"]!),
          SamplerSettings.Step(given.filter(scalars.contains)), corrects: corrects,
          noise: given["fresh"]!, Curved(), .float32, Named())
        return Named([("x", next.x), ("data", next.data), ("noise", next.noise)])
      }
      for settings in Self.settings + Self.long where (settings.order == 2) == corrects {
        let traced = try evaluate([noise] + fresh) { inputs in
          Sampler(settings).trajectory(Curved(), noise: inputs[0], condition: Named()) {
            inputs[$0 + 1]
          }
        }
        let zeros = Numbers([2, 3]) { _ in 0 }
        var state = Named([
          ("x", Numbers(noise.values, [2, 3])), ("data", zeros), ("noise", zeros),
        ])
        for (i, numbers) in settings.steps.enumerated() {
          var given = state.merging(numbers.named.mapValues { Numbers([$0], []) })
          given["fresh"] = fresh[i]
          state = try step(given)
          expectClose(
            state["data"]!.values, traced[i].values, relative: 1e-4, absolute: 1e-5,
            "\(settings.testDescription), step \(i)")
        }
      }
    }
  }

  @Test("The steps' noise follows the key", arguments: [4, 12])
  func keys(count: Int) throws {
    var settings = SamplerSettings.euler(count)
    settings.stochasticity = .ratio(1)
    let samples = try evaluate([Numbers.random([2, 3], .float32)]) { inputs in
      [7, 7, 8].map { seed in
        Sampler(settings)(Curved(), noise: inputs[0], condition: Named(), key: Key(seed: seed))
      }
    }
    #expect(samples[0] == samples[1])
    #expect(samples[0] != samples[2])
  }
}

extension SamplerSettings: CustomTestStringConvertible {
  /// The settings that differ between the tables' rows.
  public var testDescription: String {
    "\(count) steps, \(style), \(stochasticity), order \(order), extrapolation \(extrapolation)"
  }
}

/// The velocity of the flow to one known sample, `(x_t − x)/t`.
private struct TowardsData: VelocityModel {
  let data: Tensor
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { (x - data) / time.maximum(1e-6).expanded([1]) }
}

/// A velocity that depends on everything.
private struct Curved: VelocityModel {
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { (x * 1.5 + time.expanded([1])).sin() + target.expanded([1]) * x * 0.5 }
}
