import Foundation
import TestSupport
import Testing

@testable import Golden

/// Tokenizers against Hugging Face's, and damaged cases of them.
@Suite struct TokenizerCaseTests {
  private static let cases = ["tok_qwen2_a", "tok_clip_a", "tok_gemma_a", "tok_t5_a"]

  @Test(arguments: cases) func equalsHuggingFaces(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.checkTokenizer()
    #expect(comparisons.allSatisfy { $0.share == 0 }, "\(comparisons.compactMap(\.note))")
    let left = golden.notCompared.map(\.name)
    let outputs = golden.expected.names.filter { !$0.hasSuffix("_len") && !left.contains($0) }
    #expect(comparisons.map(\.name) == outputs && outputs.contains("ids"))
    #expect(Set(left).isSubset(of: ["ids_spm", "ids_real"]))
  }

  /// The files that folders without tokenizer.json have say the same.
  @Test(arguments: ["tok_qwen2_a", "tok_clip_a"])
  func vocabularyAndMergesSayTheSame(_ name: String) throws {
    let copy = try CaseCopy(name)
    try FileManager.default.removeItem(atPath: copy.path + "/tokenizer/tokenizer.json")
    let golden = try #require(try GoldenCase(folder: copy.path))
    #expect(try golden.checkTokenizer().allSatisfy { $0.share == 0 })
  }

  /// The real vocabularies, which `scripts/vocabularies` downloads; `make test-all` has them.
  @Test(
    .enabled(if: SlowTests.areRun && PublishedVocabulary.folder != nil),
    arguments: ["tok_qwen2_a", "tok_clip_a"])
  func realVocabulariesAreCompared(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    #expect(golden.notCompared.isEmpty)
    let real = try #require(try golden.checkTokenizer().first { $0.name == "ids_real" })
    #expect(real.share == 0, "\(real.note ?? "")")
  }

  @Test func differentIDsAreCounted() throws {
    let damaged = try CaseCopy("tok_gemma_a")
    try damaged.edit(.expected) { arrays in
      for output in ["ids", "ids32"] {
        var array = try #require(arrays[output])
        // The first id of the first text.
        array.bytes[array.bytes.startIndex] ^= 1
        arrays[output] = array
      }
    }
    let golden = try #require(try GoldenCase(folder: damaged.path))
    for wrong in try golden.checkTokenizer() {
      #expect(wrong.share == .infinity && wrong.relative == 1.0 / 400)
      #expect(wrong.note?.hasPrefix("1 of 400 differ, the first is text 0, \"snake_case") == true)
    }
  }

  @Test func damagedCasesAreNamed() throws {
    func expect(_ hint: String, _ damage: (CaseCopy) throws -> Void) throws {
      let copy = try CaseCopy("tok_gemma_a")
      try damage(copy)
      let golden = try #require(try GoldenCase(folder: copy.path))
      let error = #expect(throws: GoldenError.self) { try golden.checkTokenizer() }
      let text = error?.description ?? ""
      #expect(text.contains(hint) && !text.contains("\n"), "\(text)")
    }
    try expect("has no text_bytes") { try $0.edit(.inputs) { $0["text_bytes"] = nil } }
    try expect("has no ids_len") { try $0.edit(.expected) { $0["ids_len"] = nil } }
    try expect("one axis was expected") {
      try $0.edit(.expected) { $0["ids"] = $0["ids"]?.deeper }
    }
    try expect("elements in 399 rows") {
      try $0.edit(.expected) { $0["ids_len"] = $0["ids_len"]?.shorter }
    }
    try expect("whole numbers were expected") {
      try $0.edit(.expected) { $0["ids"] = $0["ids"]?.filled(with: 0.5) }
    }
    try expect("which no tokenizer computes") {
      try $0.edit(.expected) { ($0["idsx"], $0["idsx_len"]) = ($0["ids"], $0["ids_len"]) }
    }
    try expect("is not UTF-8") {
      try $0.edit(.inputs) { arrays in
        let array = try #require(arrays["text_bytes"])
        arrays["text_bytes"]?.bytes = Data(repeating: 0xFF, count: array.bytes.count)
      }
    }
    try expect("tokenizer.json is not valid JSON") {
      try Data("{".utf8).write(to: URL(fileURLWithPath: $0.path + "/tokenizer/tokenizer.json"))
    }
  }
}
