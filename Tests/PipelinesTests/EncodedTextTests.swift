import Models
import Tensors
import TestSupport
import Testing

@testable import Pipelines

@Suite struct EncodedTextTests {
  private let conditioner = EncodedText(
    tokens: 3, width: 2, dtype: .bfloat16, references: [[4, 6, 5], [2, 2, 5]])

  @Test func inputsAreTextsOfBothKindsAndReferences() {
    #expect(
      conditioner.inputs.map(\.name) == [
        "text", "text_mask", "unconditional.text", "unconditional.text_mask", "reference.0",
        "reference.1",
      ])
    #expect(conditioner.inputs[0].type(batch: 7) == TensorType([7, 3, 2], .bfloat16))
    #expect(conditioner.inputs[3].type(batch: 7) == TensorType([7], .int32))
    #expect(conditioner.inputs[4].type(batch: 7) == TensorType([7, 4, 6, 5], .float32))
  }

  @Test func referencesConditionBoth() throws {
    let names = conditioner.inputs.map(\.name)
    let expected = ["text", "text_mask", "reference.0", "reference.1"]
    let results = try evaluate([Numbers([0], nil, .float32)]) { [conditioner] inputs in
      let given = Named(names.enumerated().map { ($1, inputs[0] + Double($0)) })
      let (condition, none) = (conditioner(given), conditioner.unconditional(given))
      precondition(condition.count == expected.count && none.count == expected.count)
      return expected.map { condition[$0]! } + expected.map { none[$0]! }
    }
    #expect(results.map { $0.values[0] } == [0, 1, 4, 5, 2, 3, 4, 5])
  }

  @Test(arguments: [ModelConfig(QwenImageConfig()), ModelConfig(ZImageConfig())])
  func networksThatTakeTextHaveIt(_ model: ModelConfig) throws {
    #expect(model.conditioner is EncodedText)
    #expect(throws: PipelineError.takesText(path: nil)) {
      try model.conditioner.prepare(["a fox"])
    }
  }
}
