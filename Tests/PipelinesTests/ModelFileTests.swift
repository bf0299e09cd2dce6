import Runtime
import Foundation
import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

@Suite struct ModelFileTests {
  private var config: DiTConfig {
    var config = DiTConfig()
    (config.patch, config.width, config.depth, config.heads) = (14, 8, 1, 1)
    return config
  }

  private func fresh(_ engine: Engine) throws -> Named<ShardedArray> {
    let model = ModelConfig(config)
    return try engine.compile(Named()) { _ in model.weights.initialized(Key(seed: 1)) }(Named())
  }

  @Test func weightsRoundTrip() throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    let weights = try fresh(engine)
    let card = ModelFile.Card(model: ModelConfig(config), anyStep: true, guidance: 0.5)
    for dtype in [DType.float32, .bfloat16] {
      let path = folder.path + "/\(dtype).safetensors"
      try ModelFile.write(weights, card: card, to: path, as: dtype, on: engine)
      #expect(try SafeTensors(path: path).types.values.allSatisfy { $0.dtype == dtype })
      let read = try ModelFile(path, on: engine)
      #expect(read.card == card)
      let stored = try read.weights
      #expect(stored.names == weights.names)
      #expect(stored.types.values.allSatisfy { $0.dtype == dtype })
      let wide = try engine.cast(stored, of: path) { _ in .float32 }
      for (name, buffer) in weights.pairs {
        let (found, expected) = (
          try wide[name]!.array(of: Float.self), try buffer.array(of: Float.self)
        )
        let limit: Float = dtype == .float32 ? 0 : 0x1p-8
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= limit * abs($1) }, "\(name)")
      }
    }
  }

  @Test func everyMismatchIsNamed() throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    var weights = try fresh(engine)
    weights["output.bia"] = weights["output.bias"]
    weights["output.bias"] = nil
    weights["extra.weight"] = weights["output.weight"]
    let path = folder.path + "/misfit.safetensors"
    try ModelFile.write(
      weights, card: ModelFile.Card(model: ModelConfig(config)), to: path, on: engine)
    do {
      _ = try ModelFile(path, on: engine)
      Issue.record("weights that do not fit were taken")
    } catch WeightsError.mismatch(_, let problems) {
      #expect(problems.contains(.missing(name: "output.bias", similar: "output.bia")))
      #expect(problems.contains(.unused(name: "output.bia")))
      #expect(problems.count == 3)
    }
  }

  /// The largest numbers that stay finite, and the next that do not.
  @Test(arguments: [
    (DType.float16, Float(65519), Float(65520)), (.bfloat16, 0x1.FEFFFEp127, 0x1.FFp127),
  ])
  func numbersOutOfRangeAreCountedAndRejected(dtype: DType, fits: Float, lost: Float) throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    let card = ModelFile.Card(model: ModelConfig(config))
    func weights(_ values: [Float]) throws -> Named<ShardedArray> {
      var weights = try fresh(engine)
      var bias = [Float](repeating: 0, count: 196)
      bias.replaceSubrange(0..<values.count, with: values)
      weights["output.bias"] = try engine.array(bias, shape: [196])
      return weights
    }
    let path = folder.path + "/small.safetensors"
    try ModelFile.write(weights([fits, -fits]), card: card, to: path, as: dtype, on: engine)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(
      throws: PipelineError.beyondRange(path: path, dtype: dtype, names: ["output.bias"], count: 2)
    ) {
      try ModelFile.write(weights([lost, 1, -lost]), card: card, to: path, as: dtype, on: engine)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
    // What is infinite already stays so, and an option allows the rest.
    try ModelFile.write(weights([.infinity, .nan]), card: card, to: path, as: dtype, on: engine)
    try ModelFile.write(
      weights([lost]), card: card, to: path, as: dtype, allowsOverflow: true, on: engine)
    let stored = try ModelFile(path, on: engine).weights
    let read = try engine.cast(stored, of: path) { _ in .float32 }["output.bias"]!
      .array(of: Float.self)
    #expect(read[0] == .infinity && read[1] == 0)
  }

  /// An invalid card is different from a missing one.
  @Test(arguments: [
    ("{\"model\": {\"kind\": \"dit\", \"heads\": 5}, \"anyStep\": true, \"guidance\": 0}", "heads"),
    ("{\"model\": {\"kind\": \"vit\"}, \"anyStep\": true, \"guidance\": 0}", "kind"),
    ("{\"model\": {\"kind\": \"dit\"}, \"guidance\": 0}", "`anyStep` is missing"),
    ("{\"model\": {\"kind\": \"dit\"}, \"anyStep\": 3, \"guidance\": 0}", "anyStep"),
    (
      "{\"model\": {\"kind\": \"dit\", \"width\": 1e30}, \"anyStep\": true, \"guidance\": 0}",
      "width"
    ),
    ("no JSON", "a mapping"),
    (
      "{\"model\": {\"kind\": \"dit\"}, \"anyStep\": true, \"guidance\": 1e30}",
      "from 0.0 to 1000.0"
    ),
    (
      "{\"model\": {\"kind\": \"dit\"}, \"anyStep\": true, \"guidance\": 0, \"timeConvention\": \"x\"}",
      "middle"
    ),
  ])
  func aWrongCardIsNamed(card: String, hint: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/card.safetensors"
    try SafeTensors.write(Named(), metadata: ["twinflow": card], to: path) { _ in [] }
    #expect {
      try ModelFile(path, on: SharedEngine.get())
    } throws: { error in
      guard case PipelineError.unreadableCard(path, let reason) = error else { return false }
      return reason.contains(hint)
    }
  }

  @Test func filesOfOtherProgramsAreRejected() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/plain.safetensors"
    try SafeTensors.write(Named(), to: path) { _ in [] }
    #expect(throws: PipelineError.noModel(path: path)) {
      try ModelFile(path, on: SharedEngine.get())
    }
  }
}
