import Flow
import Tensors

extension GoldenCase {
  /// The largest number of steps of a run.
  static let mostSteps = 1000
  /// The limit of network calls in one program; larger programs take long to compile.
  private static let callsInAProgram = 96

  func checkSampler(on client: Client) throws -> [Comparison] {
    struct Runs: Decodable { let runs: [Run]? }
    let runs = try settings(Runs.self).runs ?? []
    if let wrong = runs.firstIndex(where: { $0.settings == nil }) {
      throw fail(
        "its run \(wrong) is invalid: it must have the style few, mul or any, "
          + "1 to \(Self.mostSteps) steps, order 1 or 2, a stochast_ratio from 0 to 1 or SDE, an "
          + "extrapol_ratio of 0 or more, three numbers above 0 in time_dist_ctrl, and two in "
          + "rfba_gap_steps of 0 or more with a sum below 1")
    }
    let batch = try batchShape(samples: "z0", condition: "c0")
    let (weights, single) = weightsOfSampler
    try checkNetwork(weights, batch, times: single ? 1 : 2)
    let fresh = runs.compactMap { $0.settings?.freshNoises }.max() ?? 0
    if fresh > 0 {
      let found = try input("noise", shape: [nil] + batch.samples(batch.rows)).rowCount
      guard found >= fresh else {
        throw fail("its input noise is for \(found) steps, and its runs have \(fresh)")
      }
    }
    var comparisons: [Comparison] = []
    var start = 0
    while start < runs.count {
      var end = start
      var calls = 0
      while end < runs.count, end == start || calls + runs[end].calls <= Self.callsInAProgram {
        calls += runs[end].calls
        end += 1
      }
      comparisons += try check(runs: Array(runs[start..<end]), from: start, on: client)
      start = end
    }
    return comparisons
  }

  private func check(runs: [Run], from start: Int, on client: Client) throws -> [Comparison] {
    let (weights, single) = weightsOfSampler
    let convention: TimeConvention = single ? .middle : .pair
    let program = try HostProgram(inputs, on: client) { inputs in
      var results = Named<Tensor>()
      let network = MLP(inputs.group(weights), takesTarget: !single)
      let condition =
        inputs["c0"] ?? .zeros([inputs["z0"]!.shape[0], 1], .float32)
      for (number, run) in runs.enumerated() {
        let recorder = Recorder(network)
        // The published code passes no target time in the second call of a step; the recorded runs
        // have tt = t there.
        let called = SecondCallAtItsTime(
          convention.applied(to: recorder), applies: run.sampling_order == 2)
        let predictions = Sampler(run.settings!).trajectory(
          called, noise: inputs["z0"]!, condition: Named([("c", condition)])
        ) { inputs["noise"]![$0].cast(to: .float64) }
        results["\(number).samples"] = .stack(predictions)
        results["\(number).call_x"] = .stack(recorder.x)
        results["\(number).call_t"] = .stack(recorder.times)
        if !single { results["\(number).call_tt"] = .stack(recorder.targets) }
      }
      return results
    }
    let all = try program(inputs)
    var steps: [Int: CompiledSamplerStep] = [:]
    return try runs.enumerated().flatMap { number, run in
      let order = run.sampling_order
      let step =
        try steps[order]
        ?? CompiledSamplerStep(inputs, corrects: order == 2, on: client) { inputs in
          SecondCallAtItsTime(
            convention.applied(to: MLP(inputs.group(weights), takesTarget: !single)),
            applies: order == 2)
        }
      steps[order] = step
      var found = all.group("\(number)")
      found["stepped"] = try step.samples(run.settings!)
      return compare(run, number + start, found, twoTimes: !single)
    }
  }

  private var weightsOfSampler: (prefix: String, single: Bool) {
    let single = config.model?.type?.contains("single") == true
    let first = inputs.names.first { $0.hasPrefix("model") && $0.hasSuffix(".fc1.weight") }
    let prefix = first.map {
      String($0.prefix { $0 != "." })
    }
    return (prefix ?? "model", single)
  }

  private func compare(
    _ run: Run, _ number: Int, _ actual: Named<HostArray>, twoTimes: Bool
  ) -> [Comparison] {
    let digits = String(number)
    let name = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    let wanted = expected.group(name)
    let times = run.settings!.times
    let steps = times.count - 1
    let relative = run.sampling_order == 1 ? 1e-5 : 2e-4
    var list: [Comparison] = []
    if let grid = wanted["t_steps"] {
      list.append(
        Comparison(
          "\(name).t_steps", HostArray(times.map { Float($0) }, [times.count]), grid,
          absolute: 1e-6, relative: 1e-6))
    }
    // At t = 1 the published correction of order 2 divides by 0, and later steps are not finite.
    let right = run.sampling_order == 2 && times[0] == 1 ? 1 : steps
    for step in 0..<right {
      if let samples = wanted["samples"] {
        // A missing row is replaced by an empty one, which differs.
        let row =
          step + 1 < samples.rowCount ? samples.row(step + 1) : HostArray([], [0])
        // The trajectory in one program, and step by step with one compiled step.
        for output in ["samples", "stepped"] {
          list.append(
            Comparison(
              "\(name).\(output)[\(step + 1)]", actual[output]!.row(step), row, relative: relative))
        }
      }
      for half in 0..<run.sampling_order {
        let place = step * run.sampling_order + half
        for output in ["call_x", "call_t", "call_tt"] where twoTimes || output != "call_tt" {
          guard let published = wanted[output], place < published.rowCount,
            let ours = actual[output], place < ours.rowCount, half == 0 || right == steps
          else { continue }
          let row = published.row(place)
          // One target time serves the whole batch.
          let repeated =
            row.values.count == 1
            ? HostArray(
              [Float](repeating: row.values[0], count: ours.row(place).values.count),
              [ours.row(place).values.count]) : row
          list.append(
            Comparison(
              "\(name).\(output)[\(place)]", ours.row(place), repeated, absolute: 1e-6,
              relative: relative))
        }
      }
    }
    return list
  }
}

extension GoldenCase.Run {
  /// The number of network calls.
  var calls: Int { (settings?.times.count ?? 1) * sampling_order }
}

/// A network that records its arguments and results.
final class Recorder: VelocityModel {
  private let network: any VelocityModel
  private(set) var x: [Tensor] = []
  private(set) var times: [Tensor] = []
  private(set) var targets: [Tensor] = []
  private(set) var results: [Tensor] = []

  init(_ network: any VelocityModel) { self.network = network }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    self.x.append(x)
    times.append(time)
    targets.append(target)
    let result = network(x, time: time, target: target, condition: condition)
    results.append(result)
    return result
  }
}

/// A network that uses the time as the target time in every second call.
private final class SecondCallAtItsTime: VelocityModel {
  private let network: any VelocityModel
  private let applies: Bool
  private var calls = 0

  init(_ network: any VelocityModel, applies: Bool) {
    self.network = network
    self.applies = applies
  }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    defer { calls += 1 }
    let used = applies && calls % 2 == 1 ? time : target
    return network(x, time: time, target: used, condition: condition)
  }
}
