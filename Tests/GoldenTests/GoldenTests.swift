import Foundation
import PJRT
import Testing

@testable import Golden

/// The client of all tests here.
let sharedClient = Result { try Client(Plugin.load(), options: ["cpu_device_count": 1]) }

/// The method and the sampler against the published code, output by output.
@Suite struct GoldenTests {
  private static let folder = CaseCopy.fixtures
  private static let cases =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
    .filter { $0.contains("__") }.sorted()

  @Test(arguments: cases) func equalsThePublishedCode(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(Self.folder)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    for wrong in comparisons where wrong.share > 1 {
      Issue.record("\(name): \(wrong.name) differs, \(wrong.share) times the tolerance")
    }
    // What no loss depends on, what only others depend on that are compared, what is no number.
    let left = [
      "ema_decay_used", "mask", "c_used0", "refer_v", "predc_v", "dm.x_grad", "loss0.target",
    ]
    guard golden.kind != .sampler else {
      #expect(comparisons.count > 1500)
      return
    }
    let compared = Set(comparisons.map(\.name))
    let missing = golden.expected.names.filter { output in
      !compared.contains(output) && !left.contains { output.contains(".\($0)") }
    }
    // Averages stay as they are where no average is asked for.
    #expect(missing.filter { !$0.contains("ema") } == [], "outputs that are not compared")
  }

  @Test(arguments: NetworkCaseTests.cases + ["tr_qwenimage_wrapper"])
  func networksEqualThePublishedOnes(
    _ name: String
  ) throws {
    let golden = try #require(try GoldenCase(folder: "\(Self.folder)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.map(\.name) == golden.expected.names)
    for comparison in comparisons {
      // Far below the tolerance, which is for other machines and larger networks.
      #expect(comparison.relative < 2e-5, "\(name): \(comparison.name)")
      #expect(comparison.share <= 1, "\(name): \(comparison.name)")
    }
  }

  @Test func allCasesAreHere() {
    #expect(Self.cases.filter { $0.hasPrefix("method_full") }.count >= 12)
    #expect(Self.cases.filter { $0.hasPrefix("method_lora") }.count >= 4)
    #expect(Self.cases.filter { $0.hasPrefix("method_tutorial") }.count >= 4)
    #expect(Self.cases.filter { $0.hasPrefix("sampler") }.count >= 2)
  }

  /// A check that passes whatever it is given would prove nothing.
  @Test func aWrongOutputIsFound() throws {
    let golden = try #require(
      try GoldenCase(folder: Self.folder + "/method_full__o2_barron_batch4"))
    let copy = NSTemporaryDirectory() + "golden-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try FileManager.default.copyItem(
      atPath: Self.folder + "/method_full__o2_barron_batch4", toPath: copy)
    let path = copy + "/config.json"
    let config = try String(contentsOfFile: path, encoding: .utf8)
    try config.replacingOccurrences(of: "\"enhanced_ratio\": 0.8", with: "\"enhanced_ratio\": 0.81")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let changed = try #require(try GoldenCase(folder: copy))
    let wrong = try changed.check(on: sharedClient.get()).filter { $0.share > 1 }.map(\.name)
    #expect(wrong.contains("step0.rcgm0.target_in") && wrong.contains("step0.loss"))
    #expect(!wrong.contains("step0.x_t"))
    #expect(golden.name == "method_full__o2_barron_batch4")

    try config.replacingOccurrences(of: "\"estimate_order\"", with: "\"estimate_ordre\"")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let error = #expect(throws: GoldenError.self) { try GoldenCase(folder: copy) }
    #expect(error?.description.contains("estimate_ordre") == true)

    try config.replacingOccurrences(of: "\"steps\": 1", with: "\"steps\": 2")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let longer = try #require(try GoldenCase(folder: copy))
    let lacking = #expect(throws: GoldenError.self) { try longer.check(on: sharedClient.get()) }
    #expect(lacking?.description.contains("no step1.x") == true)
  }
}
