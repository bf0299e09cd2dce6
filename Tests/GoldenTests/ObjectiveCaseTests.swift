import Foundation
import Testing

@testable import Golden

/// Objectives of other methods against the published code of each.
@Suite struct ObjectiveCaseTests {
  private static let cases =
    ((try? FileManager.default.contentsOfDirectory(atPath: CaseCopy.fixtures)) ?? [])
    .filter { $0.hasPrefix("objective_") }.sorted()

  @Test(arguments: cases) func objectivesEqualThePublishedOnes(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.map(\.name) == golden.expected.names && comparisons.count >= 6)
    for comparison in comparisons {
      // Far below the tolerance, which is for larger networks.
      #expect(
        comparison.share <= 0.3 && comparison.relative < 3e-5,
        "\(name): \(comparison.name) differs by \(comparison.relative)")
    }
  }

  @Test func everyMethodIsHere() {
    let methods = [
      "meanflow", "meanflow_guided", "imeanflow", "soflow", "scm", "scd", "ucgm", "dmd", "dmd2",
      "vsd", "sid", "apex",
    ]
    #expect(methods.filter { !Self.cases.contains("objective_\($0)") } == [])
  }

  /// What a slightly wrong setting changes is found.
  @Test(arguments: [
    ("meanflow", "weight_offset", "0.02"), ("meanflow", "reduction", "\"mean\""),
    ("meanflow_power", "weight_power", "0.751"), ("meanflow_guided", "guidance", "0.601"),
    ("meanflow_guided", "guidance_mix", "0.301"), ("imeanflow", "form", "\"conditional\""),
    ("soflow", "step_ratio", "0.11"), ("soflow", "weight_offset", "0.02"),
    ("soflow", "reduction", "\"sum\""), ("scm", "data_deviation", "0.501"),
    ("scm", "tangent_offset", "0.101"), ("scd", "source", "\"data\""),
    ("scd_guided", "guidance", "2.51"), ("ucgm", "robustness", "5.01"),
    ("dmd", "guidance", "1.76"), ("vsd", "weight", "\"data\""),
    ("dmd2", "adversarial", "{\"weight\": 0.251, \"layers\": [0, 1], \"hidden\": 5}"),
    ("sid_alpha", "alpha", "1.201"), ("apex", "condition_shift", "[-0.5, 0.999]"),
    ("apex", "order", "1"),
  ])
  func wrongSettingsAreFound(method: String, key: String, json: String) throws {
    let copy = try Self.changed(method, key, json)
    let wrong = try copy.check().filter { $0.share > 1 }.map(\.name)
    #expect(wrong.contains { $0.hasPrefix("grad.") }, "\(wrong)")
  }

  /// A copy of a case whose objective has another value of a key.
  private static func changed(_ method: String, _ key: String, _ json: String) throws -> CaseCopy {
    let copy = try CaseCopy("objective_\(method)")
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    try copy.editSettings { settings in
      var objective = try #require(settings["objective"] as? [String: Any])
      objective[key] = value
      settings["objective"] = objective
    }
    return copy
  }

  @Test(arguments: ["dmd2", "apex"]) func missingInputsAreNamed(_ method: String) throws {
    for input in try CaseCopy("objective_\(method)").names(.inputs) {
      let missing = try CaseCopy("objective_\(method)")
      try missing.edit(.inputs) { $0[input] = nil }
      missing.expectError("no \(input)")
      for change in [\CaseCopy.Array.shorter, \.deeper] {
        let damaged = try CaseCopy("objective_\(method)")
        try damaged.edit(.inputs) { $0[input] = try #require($0[input])[keyPath: change] }
        #expect(throws: GoldenError.self, "\(input)") { try damaged.check() }
      }
    }
  }

  @Test func expectedOutputsAreAllCompared() throws {
    let damaged = try CaseCopy("objective_dmd2")
    let names = try damaged.names(.expected)
    try damaged.edit(.expected) { $0 = $0.mapValues { $0.filled(with: 7) } }
    #expect(try damaged.check().filter { $0.share > 1 }.map(\.name).sorted() == names)
  }

  @Test func whatTheObjectiveDoesNotHaveIsNamed() throws {
    let other = try CaseCopy("objective_scm")
    try other.edit(.inputs) { $0["draw.start"] = $0["draw.noise"] }
    other.expectError("draw.start is not a draw")
    let more = try CaseCopy("objective_scm")
    try more.edit(.expected) { $0["fake.loss"] = $0["loss"] }
    more.expectError("fake.loss, which the objective does not compute")
    try Self.changed("scm", "sigma", "1").expectError("sigma")
    try Self.changed("scm", "kind", "\"consistent\"").expectError("consistent")
    try Self.changed("scm", "kind", "\"twinflow\"").expectError("is no key of twinflow")
    try Self.changed("dmd2", "adversarial", "{\"weight\": 1, \"layers\": [2]}").expectError("[2]")
    let classes = try CaseCopy("objective_scm")
    try classes.editSettings { $0["objective"] = ["kind": "classification"] }
    classes.expectError("has no velocity")
  }
}
