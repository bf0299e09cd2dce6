import Foundation
import Testing

@testable import Pipelines

/// Schedules of SANA and SANA-Sprint against diffusers 0.42.1.
@Suite struct DPMSolverTests {
  private func scheduler(_ json: String) throws -> Scheduler {
    try JSONDecoder().decode(Scheduler.self, from: Data(json.utf8))
  }

  private static let flow =
    #""_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": true, "#
    + #""prediction_type": "flow_prediction""#

  @Test("The network's times are cut to whole ones, and the solver's are not")
  func times() throws {
    let steps = try scheduler("{\(Self.flow), \"flow_shift\": 3.0}").steps(4, tokens: 1)
    let sigmas = [0.99966645, 0.89963979, 0.74962479, 0.49966654]
    for (step, sigma) in zip(steps, sigmas) { #expect(abs(step.time - sigma) < 1e-7) }
    #expect(steps.map { ($0.networkTime * 1000).rounded() } == [999, 899, 749, 499])
    #expect(steps.allSatisfy { $0.target == $0.networkTime && $0.stochastic == 0 })
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.next == $1.time })
    #expect(steps.last!.next == 0)
  }

  @Test("The first and the last step are of order 1, and all of a solver of order 1")
  func orders() throws {
    let second = try scheduler("{\(Self.flow)}").steps(5, tokens: 1)
    #expect(second.map { $0.change != 0 } == [false, true, true, true, false])
    let first = try scheduler("{\(Self.flow), \"solver_order\": 1}").steps(5, tokens: 1)
    #expect(first.allSatisfy { $0.change == 0 })
    let one = try scheduler("{\(Self.flow)}").steps(1, tokens: 1)
    #expect(one.count == 1 && one[0].next == 0 && one[0].change == 0)
    // Of another start the weights would be others.
    #expect(second[1].scaled(by: 0.5).change == 0)
    #expect(second[1].scaled(by: 1).change == second[1].change)
  }

  /// For data that change with log(α/σ) along a line, a step of `heun` is exact.
  @Test func stepsIntegrateALine() throws {
    let steps = try scheduler("{\(Self.flow), \"solver_type\": \"heun\"}").steps(6, tokens: 1)
    func data(_ t: Double) -> Double { 0.3 - 0.7 * (log(1 - t) - log(t)) }
    for i in 1..<5 {
      let (before, step) = (data(steps[i - 1].time), steps[i])
      let (x, own) = (0.4, data(step.time))
      let noise = (x - (1 - step.time) * own) / step.time
      let next = (1 - step.next) * own + step.next * noise + step.change * (own - before)
      // The integral of e^λ·data over λ = log(α/σ), in small pieces.
      let (from, to) = (log(1 - step.time) - log(step.time), log(1 - step.next) - log(step.next))
      let count = 20_000
      let width = (to - from) / Double(count)
      let integral = (0..<count).reduce(0.0) { sum, piece in
        let lambda = from + (Double(piece) + 0.5) * width
        return sum + exp(lambda) * (0.3 - 0.7 * lambda) * width
      }
      let expected = step.next / step.time * x + step.next * integral
      #expect(abs(next - expected) < 1e-6, "step \(i)")
    }
  }

  @Test func anglesAreTimesOfTheFlow() throws {
    let scheduler = try scheduler(#"{"_class_name": "SCMScheduler", "sigma_data": 0.5}"#)
    let steps = scheduler.steps(2, tokens: 1)
    #expect(abs(steps[0].time - 1.0000037) < 1e-6 && steps[0].stochastic == 1)
    #expect(abs(steps[1].time - sin(1.3) / (cos(1.3) + sin(1.3))) < 1e-12)
    #expect(steps[0].next == steps[1].time && steps[1].next == 0)
    #expect(abs(scheduler.noiseScale - 1) < 1e-5)
    guard case .consistency(let schedule) = scheduler else {
      Issue.record("\(scheduler)")
      return
    }
    #expect(schedule.angles(1) == [1.5708, 0])
    let four = schedule.angles(4)
    #expect(four.count == 5 && abs(four[2] - 0.7854) < 1e-12 && four[4] == 0)
    #expect(scheduler.shifted(by: 3) == nil)
  }

  @Test(arguments: [
    "{}", #"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3}"#,
    "{\(flow), \"flow_shift\": 2.5, \"solver_type\": \"heun\", \"solver_order\": 1}",
    #"{"_class_name": "SCMScheduler", "sigma_data": 0.25}"#,
  ])
  func whatIsWrittenIsRead(_ json: String) throws {
    let found = try scheduler(json)
    #expect(
      try JSONDecoder().decode(Scheduler.self, from: JSONEncoder().encode(found)) == found)
  }

  @Test func shiftsAreReplaced() throws {
    let shifted = try scheduler("{\(Self.flow)}").shifted(by: 3)
    #expect(try shifted == scheduler("{\(Self.flow), \"flow_shift\": 3}"))
    #expect(try scheduler("{}").shifted(by: 3) == scheduler(#"{"shift": 3}"#))
  }

  @Test(arguments: [
    (#"{"_class_name": "DDIMScheduler"}"#, "_class_name"),
    (#"{"_class_name": "DPMSolverMultistepScheduler"}"#, "prediction_type"),
    (
      #"{"_class_name": "DPMSolverMultistepScheduler", "prediction_type": "flow_prediction"}"#,
      "use_flow_sigmas"
    ),
    ("{\(flow), \"algorithm_type\": \"sde-dpmsolver++\"}", "algorithm_type"),
    ("{\(flow), \"final_sigmas_type\": \"sigma_min\"}", "final_sigmas_type"),
    ("{\(flow), \"solver_order\": 3}", "solver_order"),
    ("{\(flow), \"solver_type\": \"euler\"}", "solver_type"),
    ("{\(flow), \"thresholding\": true}", "thresholding"),
    ("{\(flow), \"use_karras_sigmas\": true}", "use_karras_sigmas"),
    ("{\(flow), \"flow_shift\": 0}", "flow_shift"),
    ("{\(flow), \"num_train_timesteps\": 1}", "num_train_timesteps"),
    (#"{"_class_name": "SCMScheduler", "prediction_type": "epsilon"}"#, "prediction_type"),
    (#"{"_class_name": "SCMScheduler", "sigma_data": 0}"#, "sigma_data"),
  ])
  func unsupportedSettingsAreNamed(_ json: String, _ key: String) {
    let error = #expect(throws: (any Error).self) { try scheduler(json) }
    #expect("\(error!)".contains(key), "\(error!)")
  }
}
