import Foundation
import Pictures
import Pipelines
import TestSupport
import Testing

@testable import Evaluation

/// Networks that judge pictures of benchmarks, on small ones with random weights.
@Suite(.serialized) struct NetworkJudgeTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/golden").path

  private let picture = RGBImage(
    width: 64, height: 48,
    values: (0..<64 * 48 * 3).map { UInt8(truncatingIfNeeded: $0 * $0 / 7) })

  private func network() throws -> VisionLanguageJudge {
    try VisionLanguageJudge(
      "\(Self.fixtures)/judge_qwen2_5_vl_a/model", precision: .float32, on: SharedEngine.get())
  }

  @Test func firstTokensHaveTheProbabilitiesOfTheNetwork() throws {
    let network = try network()
    let judge = try AnswerJudge(network)
    let instructions = [
      (text: "How many cats are there? Answer in one word.", spellings: ["two", "Two", "2"]),
      (text: "Is the cat red? Answer in one word.", spellings: GenEval2Prompt.yes),
    ]
    let answers = try judge.answers(to: instructions, about: picture)
    #expect(answers.count == 2)
    for (instruction, answer) in zip(instructions, answers) {
      let question = Conversation(asking: instruction.text, about: [picture])
      let expected = try network.probabilities(of: instruction.spellings, to: [question])[0]
        .reduce(0, +)
      #expect(abs(answer.probability - expected) < 1e-5)
      #expect(answer.probability > 0)
      #expect(try network.answers(to: [question], limit: 1) == [answer.firstToken])
    }
    #expect(judge.name.wholeMatch(of: /Qwen2\.5-VL [0-9a-f]{8}/) != nil, "\(judge.name)")
  }

  /// The name tells what the network is, by which reports know the published judge.
  @Test func namesOfJudges() throws {
    let path = "\(Self.fixtures)/judge_qwen3_vl/model"
    let network = try VisionLanguageJudge(path, storage: .int8, on: SharedEngine.get())
    let judge = try AnswerJudge(network, storage: .int8)
    #expect(judge.name.wholeMatch(of: /Qwen3-VL [0-9a-f]{8} in int8/) != nil, "\(judge.name)")
    #expect(GenEval2Answer.isPublished(judge: "Qwen3-VL-8B 0123abcd"))
    for other in [
      judge.name, "Qwen3-VL 0123abcd", "Qwen3-VL-8B 0123abcd in int8", "Qwen2.5-VL 0123abcd",
    ] {
      #expect(!GenEval2Answer.isPublished(judge: other), "\(other)")
    }
    let instruction = (text: "Is the cat red? Answer in one word.", spellings: GenEval2Prompt.yes)
    let answers = try judge.answers(to: [instruction], about: picture)
    #expect(answers[0].probability > 0 && answers[0].probability < 1)
  }

  @Test func answersAreOneWordInSmallLetters() throws {
    #expect(AnswerJudge.plain("Yes.") == "yes" && AnswerJudge.plain(" No, it is") == "no")
    #expect(AnswerJudge.plain("**Yes**") == "yes" && AnswerJudge.plain("7") == "")
    let answers = try AnswerJudge(network()).answers(
      to: ["Is there a cat?", "Is it red?"], about: picture)
    #expect(answers.count == 2)
    for answer in answers { #expect(answer == AnswerJudge.plain(answer)) }
  }

  @Test func aDetectorOfOtherClassesIsRefused() throws {
    let engine = try SharedEngine.get()
    let detector = try DetectionJudge("\(Self.fixtures)/judge_mask2former/model", on: engine)
    let clip = try CLIPJudge("\(Self.fixtures)/judge_clip/model", on: engine)
    let error = #expect(throws: BenchmarkError.self) { try ObjectJudge(detector, colors: clip) }
    #expect("\(error!)".contains("COCO's 80"), "\(error!)")
  }
}
