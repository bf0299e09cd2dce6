import Foundation

/// Proofs that take too long for each run of the tests; `make test-all` runs them.
public enum SlowTests {
  /// Whether they run.
  public static let areRun = ProcessInfo.processInfo.environment["TWINFLOW_SLOW_TESTS"] != nil

  /// The arguments of a test that always run, and those that run with the slow tests.
  public static func arguments<Argument>(_ quick: [Argument], slow: [Argument]) -> [Argument] {
    areRun ? quick + slow : quick
  }
}
