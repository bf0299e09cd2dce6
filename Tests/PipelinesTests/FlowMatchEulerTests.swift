import Foundation
import Testing

@testable import Pipelines

/// Schedules against diffusers 0.42.1.
@Suite struct FlowMatchEulerTests {
  struct Case: Sendable {
    let json: String
    let steps: Int
    let tokens: Int
    let times: [Double]
  }

  // With 4,096 + 256 tokens at most, µ of .7 is reached at 1,438 tokens and more; here it is given by
  // equal shifts.
  static let cases = [
    Case(json: #"{"shift": 3.0}"#, steps: 4, tokens: 1, times: [1, 0.9, 0.75, 0.5, 0]),
    Case(
      json: #"{"use_dynamic_shifting": true, "base_shift": 0.7, "max_shift": 0.7, "#
        + #""shift_terminal": 0.02}"#,
      steps: 4, tokens: 9, times: [1, 0.7673959, 0.4565494, 0.02, 0]),
    Case(
      json: #"{"use_dynamic_shifting": true, "base_shift": 1.2, "max_shift": 1.2, "#
        + #""time_shift_type": "linear"}"#,
      steps: 3, tokens: 9, times: [1, 0.7058824, 0.375, 0]),
    Case(
      json: #"{"shift": 2.0, "use_karras_sigmas": true}"#, steps: 5, tokens: 1,
      times: [1, 0.7718887, 0.5899157, 0.4460266, 0.3333333, 0]),
    Case(
      json: #"{"shift": 2.0, "use_exponential_sigmas": true}"#, steps: 5, tokens: 1,
      times: [1, 0.7598357, 0.5773503, 0.4386913, 0.3333333, 0]),
    Case(json: "{}", steps: 1, tokens: 1, times: [1, 0]),
    // Published: not a number, because a single step at t = 1 cannot be stretched.
    Case(json: #"{"shift_terminal": 0.02}"#, steps: 1, tokens: 1, times: [1, 0]),
  ]

  private func schedule(_ json: String) throws -> FlowMatchEuler {
    try JSONDecoder().decode(FlowMatchEuler.self, from: Data(json.utf8))
  }

  @Test(arguments: cases) func timesAreThePublishedOnes(_ example: Case) throws {
    let scheduler = try schedule(example.json)
    let times = scheduler.times(example.steps, tokens: example.tokens)
    #expect(times.count == example.times.count)
    for (time, expected) in zip(times, example.times) { #expect(abs(time - expected) < 2e-7) }
    // What is written is read as the same.
    let written = try JSONEncoder().encode(scheduler)
    #expect(try JSONDecoder().decode(FlowMatchEuler.self, from: written) == scheduler)
  }

  /// The times of schedulers to which pipelines leave them.
  @Test(arguments: [
    (#"{"shift": 3.0}"#, 4, [1, 0.8576923, 0.6021506, 0.0089286]),
    (#"{"shift": 3.0}"#, 1, [1]), ("{}", 3, [1, 0.5005, 0.001]),
    (
      #"{"use_dynamic_shifting": true, "base_shift": 0.7, "max_shift": 0.7}"#, 3,
      [1, 0.6686311, 0.0020117]
    ), (#"{"shift": 3.0, "shift_terminal": 0.02}"#, 3, [1, 0.7539014, 0.02]),
    (#"{"shift": 3.0, "use_karras_sigmas": true}"#, 4, [1, 0.2866939, 0.0625886, 0.0089286]),
  ])
  func timesEndAtTheLeastOfTraining(_ json: String, _ count: Int, _ expected: [Double]) throws {
    var scheduler = try schedule(json)
    scheduler.lastTime = .trained
    let times = scheduler.times(count, tokens: 9)
    #expect(times.count == count + 1 && times.last == 0)
    for (time, wanted) in zip(times, expected) { #expect(abs(time - wanted) < 1e-7) }
  }

  @Test func dynamicShiftsGrowWithTheImage() throws {
    var dynamic = FlowMatchEuler.Dynamic()
    (dynamic.shifts, dynamic.tokens) = ((0.5, 0.9), 256...8192)
    #expect(abs(dynamic.mu(tokens: 1000) - 0.5375) < 1e-12)
    #expect(dynamic.mu(tokens: 256) == 0.5)
  }

  @Test func stepsFollowTheVelocity() throws {
    let steps = try schedule(#"{"shift": 3.0}"#).steps(4, tokens: 1)
    #expect(steps.map(\.time).map { ($0 * 100).rounded() } == [100, 90, 75, 50])
    #expect(steps.allSatisfy { $0.target == $0.time && $0.stochastic == 0 })
    #expect(steps.last!.next == 0)
    let random = try schedule(#"{"stochastic_sampling": true}"#).steps(2, tokens: 1)
    #expect(random.allSatisfy { $0.stochastic == 1 })
  }

  @Test(arguments: [
    (#"{"_class_name": "DDIMScheduler"}"#, "_class_name"),
    (#"{"use_beta_sigmas": true}"#, "use_beta_sigmas"),
    (#"{"invert_sigmas": true}"#, "invert_sigmas"), (#"{"shift": 0}"#, "shift"),
    (#"{"shift_terminal": 1}"#, "shift_terminal"), (#"{"num_train_timesteps": 10}"#, "num_train"),
    (
      #"{"use_dynamic_shifting": true, "base_image_seq_len": 9, "max_image_seq_len": 9}"#,
      "max_image_seq_len"
    ),
    (
      #"{"use_dynamic_shifting": true, "time_shift_type": "cubic"}"#, "time_shift_type"
    ),
    (#"{"use_karras_sigmas": true, "use_exponential_sigmas": true}"#, "use_exponential_sigmas"),
  ])
  func unsupportedSettingsAreNamed(_ json: String, _ key: String) {
    let error = #expect(throws: (any Error).self) { try schedule(json) }
    #expect("\(error!)".contains(key))
  }
}
