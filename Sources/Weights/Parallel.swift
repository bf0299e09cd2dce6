import Foundation

/// Work on several cores.
enum Parallel {
  /// Calls `body` with the numbers below `count`, several at a time.
  static func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
    guard count > 1 else { return (0..<count).forEach(body) }
    DispatchQueue.concurrentPerform(iterations: count, execute: body)
  }
}
