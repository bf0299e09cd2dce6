import Foundation
import Optimizers
import TestSupport
import Testing

@Suite struct ScheduleTests {
  static let steps = [0, 1, 4, 5, 10, 50, 99, 100, 150]

  static func rates(_ schedule: Schedule) throws -> [Double] {
    try evaluate([Numbers(steps.map(Double.init), nil, .int32)]) {
      [schedule.learningRate(step: $0[0], of: 100)]
    }[0].values
  }

  @Test func constant() throws {
    expectClose(try Self.rates(Schedule(peak: 0.1)), Self.steps.map { _ in 0.1 })
  }

  @Test(arguments: [0.0, 0.1]) func linear(_ final: Double) throws {
    let expected = Self.steps.map { 2 * (1 - min(1, Double($0) / 100) * (1 - final)) }
    expectClose(
      try Self.rates(Schedule(peak: 2, decay: .linear, final: final)), expected, absolute: 1e-6)
  }

  /// Both forms of a schedule agree.
  @Test(arguments: [Schedule.Decay.constant, .linear, .cosine], [0, 5])
  func ratesOnTheHost(_ decay: Schedule.Decay, warmup: Int) throws {
    let schedule = Schedule(peak: 2, warmup: warmup, decay: decay, final: 0.1)
    expectClose(
      try Self.rates(schedule), Self.steps.map { schedule.learningRate(at: $0, of: 100) },
      absolute: 1e-6)
  }

  @Test func cosineAfterWarmUp() throws {
    let schedule = Schedule(peak: 2, warmup: 5, decay: .cosine, final: 0.1)
    let expected = Self.steps.map { step -> Double in
      if step < 5 { return 2 * Double(step + 1) / 5 }
      let progress = min(1, Double(step - 5) / 95)
      return 2 * (0.1 + 0.9 * 0.5 * (1 + cos(.pi * progress)))
    }
    expectClose(try Self.rates(schedule), expected, absolute: 1e-6)
  }
}
