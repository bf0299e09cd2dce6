import Foundation
import Testing

/// Runs that are killed at random moments.
@Suite struct KillTests {
  /// A short campaign, which ends with an error where a resumed run differs from an unbroken one.
  @Test func killedRunsEndAsUnbrokenOnes() throws {
    let (_, finish) = try Command.start(
      ["5"],
      environment: [
        "TWINFLOW": Command.program, "STEPS": "60", "SEED": "\(Int.random(in: 1..<9999))",
      ],
      program: "\(Command.root)/scripts/kill-campaign")
    let result = finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.output.contains("5 kills in") && result.output.contains("one byte by byte"),
      "\(result.output)")
  }
}
