import Foundation
import Testing

@testable import Golden

/// Whole pipelines, and the sampler on models, against the published code.
@Suite struct PipelineCaseTests {
  private static let pipelines = [
    "pipe_qwenimage_a", "pipe_qwenimage_edit_a", "pipe_zimage_a", "pipe_sd3_a", "pipe_sana_a",
    "pipe_sana_sprint_a", "pipe_openuni_a",
  ]
  private static let samplers = [
    "sampler_model_qwenimage_a", "sampler_model_zimage_a", "sampler_model_sd3_a",
    "sampler_model_sana_a",
  ]

  @Test(arguments: pipelines + samplers) func equalsThePublishedCode(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    let compared = Set(comparisons.map(\.name))
    // What the published versions compute there is a mistake.
    let left = golden.expected.names.filter { !$0.hasSuffix("_1d_positions") }
    #expect(compared == Set(left))
    for wrong in comparisons where wrong.share > 1 {
      Issue.record("\(name): \(wrong.name) differs, \(wrong.share) times the tolerance")
    }
  }

  @Test(arguments: pipelines + samplers) func otherNoiseGivesOtherPictures(_ name: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.inputs) { arrays in
      for name in arrays.keys where name.hasPrefix("noise") {
        arrays[name] = arrays[name]?.filled(with: 0.5)
      }
    }
    let wrong = try damaged.check().filter { $0.share > 1 }.map(\.name)
    #expect(wrong.contains { $0.hasSuffix("image_uint8") })
    #expect(!wrong.contains { $0.hasSuffix("input_ids") })
  }

  @Test(arguments: pipelines + samplers) func missingNoiseIsNamed(_ name: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.inputs) { arrays in
      for name in arrays.keys where name.contains("noise") { arrays[name] = nil }
    }
    damaged.expectError("noise")
  }

  @Test(arguments: pipelines) func unknownOutputsAreNamed(_ name: String) throws {
    let damaged = try CaseCopy(name)
    let prefix = name == "pipe_qwenimage_a" ? "" : "run0."
    try damaged.edit(.expected) { $0["\(prefix)unknown"] = $0.values.first }
    damaged.expectError("unknown, which is not a known output")
  }

  @Test func unknownPipelinesAreNamed() throws {
    let damaged = try CaseCopy("pipe_qwenimage_a")
    try damaged.editSettings { $0["cls"] = "KolorsPipeline" }
    damaged.expectError("KolorsPipeline")
  }

  @Test func aRunWithoutPromptsIsNamed() throws {
    let damaged = try CaseCopy("pipe_qwenimage_a")
    try damaged.editSettings { $0["prompts"] = nil }
    damaged.expectError("no prompts")
  }
}
