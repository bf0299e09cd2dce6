import Foundation
import Testing

@testable import twinflow

@Suite struct TerminalTests {
  @Test(
    arguments: [
      (0, "0.0 s"), (4.25, "4.2 s"), (59.96, "60.0 s"), (187, "3:07 min"), (3723, "1:02:03 h"),
      (1e12, "277777777:46:40 h"), (1e300, "–"), (.infinity, "–"), (-.infinity, "–"), (.nan, "–"),
    ] as [(Double, String)])
  func secondsAreReadable(seconds: Double, text: String) {
    #expect(seconds.secondsText == text)
  }

  @Test(arguments: [(0, 0), (5, 10), (10, 10), (11, 10), (.max, .max), (.max, 1), (3, 0), (-1, 5)])
  func aBarHoldsAnyNumbers(done: Int, total: Int) {
    let bar = ProgressBar("a test's bar", of: total)
    bar.show(done)
    bar.finish()
  }
}
