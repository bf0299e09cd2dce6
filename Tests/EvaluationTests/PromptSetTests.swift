import Foundation
import Testing

@testable import Evaluation

@Suite struct PromptSetTests {
  private let files: PromptFiles

  init() throws { files = try PromptFiles() }

  @Test func linesAreRead() throws {
    let set = try PromptSet(files.prompts)
    #expect(set.lines.map(\.number) == [1, 2, 3, 5, 6] && set.splits == ["training", "held-out"])
    #expect(set.lines[4].prompt == "the green dog")
    #expect(set.lines[4].picture == "\(files.folder.path)/p/4.png")
    try files.write([#"{"prompt": "a fox"}"#])
    let plain = try PromptSet(files.prompts).lines
    #expect(plain.map(\.split) == [PromptSet.unnamed] && plain[0].picture == nil)
  }

  @Test(
    arguments: [
      (#"{"prompt": "a fox", "picture": 3}"#, "its `picture` is not a text"),
      (#"{"prompt": null}"#, "its `prompt` is not a text"),
      (#"{"text": "a fox"}"#, "it has no `prompt`"),
      (#"{"prompt": "  "}"#, "its `prompt` is empty"),
      (#"{"prompt": "a fox""#, "it is not a JSON object"),
      (#"["a fox"]"#, "it is not a JSON object"),
      (#"{"prompt": "a fox", "picture": "none.png"}"#, "there is no picture"),
    ])
  func damagedLinesAreNamed(_ line: String, _ reason: String) throws {
    try files.write([PromptFiles.lines[0], "", line])
    let error = #expect(throws: EvaluationError.self) { try PromptSet(files.prompts) }
    #expect("\(error!)".contains("line 3: \(reason)"), "\(error!)")
  }

  @Test func theChoiceIsEvenAndFollowsItsSeed() throws {
    try files.write((0..<100).map { #"{"prompt": "fox \#($0)", "split": "s\#($0 % 2)"}"# })
    let set = try PromptSet(files.prompts)
    func chosen(_ seed: UInt64) throws -> [Int] {
      try set.chosen(splits: ["s1"], most: 10, seed: seed)[0].lines
    }
    let lines = try chosen(1)
    #expect(lines.map { $0 / 10 } == Array(0..<10) && lines.allSatisfy { $0 % 2 == 1 })
    #expect(try chosen(1) == lines && chosen(2) != lines)
    #expect(try set.chosen().map(\.lines.count) == [50, 50])
    #expect(
      throws: EvaluationError.unknownSplit(
        path: files.prompts, found: "s2", known: ["s0", "s1"])
    ) { try set.chosen(splits: ["s2"]) }
    try files.write([""])
    #expect(throws: EvaluationError.noPrompts(path: files.prompts)) { try PromptSet(files.prompts) }
  }
}
