import Tensors
import TestSupport
import Testing

@testable import Flow

/// The sampler against the published one: every network call and every prediction.
@Suite struct SamplerGoldenTests {
  /// Steps, order, and the number of runs of this kind.
  static let kinds = [
    (1, 1, 42), (2, 1, 42), (4, 1, 42), (8, 1, 8), (1, 2, 9), (2, 2, 15), (4, 2, 15), (8, 2, 3),
  ]
  private static let read = Result { try Golden("sampler__unified") }

  @Test(
    """
    Grids, calls and predictions equal the published ones, up to where these go wrong: the ratio of \
    an SDE's first step is kept, and Heun's correction from t = 1 divides by 0
    """, arguments: kinds)
  func equalsThePublishedRuns(count: Int, order: Int, expectedRuns: Int) throws {
    let golden = try Self.read.get()
    // Programs of eight steps take long to compile: a fifth of those runs has every setting in it.
    let runs = try #require(golden.config.runs).enumerated().filter {
      $1.sampling_steps == count && $1.sampling_order == order && (count < 8 || $0 % 5 == 0)
    }
    #expect(runs.count == expectedRuns)
    let function = try NamedFunction(golden.inputs) { inputs in
      var results = Named<Tensor>()
      for (number, run) in runs {
        // The published code names no target time for the second call; the recorded runs have tt = t.
        let network = Recorder(Perceptron(inputs.group("model"), golden.config.model)) {
          order == 2 && $0 % 2 == 1
        }
        let predictions = Sampler(run.settings).trajectory(
          network, noise: inputs["z0"]!, condition: Named([("c", inputs["c0"]!)])
        ) { inputs["noise"]![$0..<$0 + 1].reshape([2, 8]).cast(to: .float64) }
        results["\(number).predictions"] = .stack(predictions)
        results["\(number).x"] = .stack(network.x)
        results["\(number).t"] = .stack(network.times)
        results["\(number).tt"] = .stack(network.targets)
      }
      return results
    }
    let all = try function(golden.inputs)

    for (number, run) in runs {
      let name = String(repeating: "0", count: 4 - "\(number)".count) + "\(number)"
      let expected = golden.expected.group(name)
      let actual = all.group("\(number)")
      let times = run.settings.times
      expectNear(Numbers(times), expected["t_steps"]!, absolute: 1e-6, "\(name): t_steps")
      #expect(
        actual.values.allSatisfy { $0.values.allSatisfy(\.isFinite) }, "\(name): not all finite")

      let steps = times.count - 1
      // How many predictions, and how many calls, the published code gets right.
      let isSDE = run.stochast_ratio.value == nil
      let right = order == 2 && times[0] == 1 ? 1 : isSDE ? min(2, steps) : steps
      #expect(run.nonfinite == false || right < steps)
      let relative = order == 1 ? 1e-5 : 2e-4
      for i in 0..<right {
        expectNear(
          actual["predictions"]!.row(i), expected["samples"]!.row(i + 1), relative: relative,
          "\(name): prediction \(i)")
        let place = order * i
        for (ours, published) in [("x", "call_x"), ("t", "call_t")] {
          expectNear(
            actual[ours]!.row(place), expected[published]!.row(place), relative: relative,
            "\(name): \(published) of step \(i)")
        }
        #expect(actual["tt"]!.row(place).values == [0, 0], "\(name): tt of step \(i)")
        // The published code makes no second call in the last step of a grid with a gap.
        guard order == 2, place + 1 < expected["call_x"]!.shape[0], !isSDE || i == 0 else {
          continue
        }
        for (ours, published) in [("x", "call_x"), ("t", "call_t")] {
          expectNear(
            actual[ours]!.row(place + 1), expected[published]!.row(place + 1), relative: relative,
            "\(name): \(published) of step \(i), second")
        }
      }
    }
  }
}

/// A network that keeps what it was called with, and can be made to use the time as the target.
final class Recorder: VelocityModel {
  private let network: any VelocityModel
  private let isPatched: (Int) -> Bool
  private(set) var x: [Tensor] = []
  private(set) var times: [Tensor] = []
  private(set) var targets: [Tensor] = []

  init(_ network: any VelocityModel, patching isPatched: @escaping (Int) -> Bool = { _ in false }) {
    self.network = network
    self.isPatched = isPatched
  }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let used = isPatched(times.count) ? time : target
    self.x.append(x)
    times.append(time)
    targets.append(target)
    return network(x, time: time, target: used, condition: condition)
  }
}

extension Golden {
  /// One run of the sampler's case, under the published names.
  struct Run: Decodable, Sendable {
    let sampling_style: String
    let sampling_steps: Int
    let sampling_order: Int
    let stochast_ratio: Ratio
    let extrapol_ratio: Double
    let time_dist_ctrl: [Double]
    let rfba_gap_steps: [Double]
    let nonfinite: Bool

    /// A number, or nil for "SDE".
    struct Ratio: Decodable, Sendable {
      let value: Double?

      init(from decoder: any Decoder) throws {
        value = try? decoder.singleValueContainer().decode(Double.self)
      }
    }

    /// The settings under our names.
    var settings: SamplerSettings {
      precondition(sampling_style == "few")
      var settings = SamplerSettings()
      settings.count = sampling_steps
      settings.order = sampling_order
      settings.stochasticity = stochast_ratio.value.map { .ratio($0) } ?? .sde
      settings.extrapolation = extrapol_ratio
      settings.grid = time_dist_ctrl
      settings.gaps = rfba_gap_steps
      return settings
    }
  }
}
