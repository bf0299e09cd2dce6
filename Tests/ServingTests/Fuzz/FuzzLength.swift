import Foundation

/// How long a fuzzing test runs: a number of inputs, or some seconds where the environment says so.
struct FuzzLength {
  /// The variable of the environment with the seconds that each test takes.
  static let variable = "TWINFLOW_FUZZ_SECONDS"
  /// The variable with the first seed, for other inputs than the last time.
  static let seedVariable = "TWINFLOW_FUZZ_SEED"

  private let inputs: Int
  private let end: ContinuousClock.Instant?
  /// The first seed; each input has a seed of its own, which messages name.
  private let first: UInt64

  /// Makes the length of a test.
  ///
  /// - Parameter inputs: the number of inputs without a variable.
  init(inputs: Int) {
    let environment = ProcessInfo.processInfo.environment
    self.inputs = inputs
    end = environment[Self.variable].flatMap(Double.init).map { .now + .seconds($0) }
    first = environment[Self.seedVariable].flatMap { UInt64($0) } ?? 0
  }

  /// Calls a function with one seed after the other.
  func forEachSeed(_ body: (UInt64) throws -> Void) rethrows {
    var count = 0
    while end.map({ .now < $0 }) ?? (count < inputs) {
      try body(first &+ UInt64(count))
      count += 1
    }
  }
}
