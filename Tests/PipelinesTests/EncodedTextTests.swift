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

  @Test func featuresOfTheWholeTextAreOfBothKinds() {
    let pooled = EncodedText(tokens: 3, width: 2, dtype: .bfloat16, pooled: 5)
    #expect(
      pooled.inputs.map(\.name) == [
        "text", "text_mask", "pooled", "unconditional.text", "unconditional.text_mask",
        "unconditional.pooled",
      ])
    #expect(pooled.inputs[5].type(batch: 7) == TensorType([7, 5], .bfloat16))
    #expect(ModelConfig(SD3Config()).conditioner.inputs[2].shape == [2048])
  }

  @Test("Features are kept in rows of tokens, those of the whole text behind them")
  func rows() throws {
    let rows = TextRows(width: 2, dtype: .float32, pooledWidth: 3)
    #expect(rows.byteCount(tokens: 4) == (4 + 2) * 8)
    func text(_ tokens: Int, _ start: Float) -> [Float] {
      (0..<tokens * 2 + 3).map { start + Float($0) } + [0]
    }
    var batch = TextRows.Batch(rows, length: 3, count: 2)
    for values in [text(2, 1), text(1, 50)] { values.withUnsafeBytes { batch.add($0) } }
    let arrays = batch.arrays
    #expect(arrays["text"]!.array(of: Float.self) == [1, 2, 3, 4, 0, 0, 50, 51, 0, 0, 0, 0])
    #expect(arrays["text_mask"]!.array(of: Int32.self) == [2, 1])
    #expect(arrays["pooled"]!.array(of: Float.self) == [5, 6, 7, 52, 53, 54])
    #expect(arrays["pooled"]!.type.shape == [2, 3])
  }

  @Test(arguments: [
    ModelConfig(QwenImageConfig()), ModelConfig(ZImageConfig()), ModelConfig(SD3Config()),
  ])
  func networksThatTakeTextHaveIt(_ model: ModelConfig) throws {
    #expect(model.conditioner is EncodedText)
    #expect(throws: PipelineError.takesText(path: nil)) {
      try model.conditioner.prepare(["a fox"])
    }
  }
}
