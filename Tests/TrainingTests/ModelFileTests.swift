import Foundation
import Layers
import Models
import Tensors
import Testing
import Weights

@testable import Training

@Suite struct ModelFileTests {
  private var config: DiTConfig {
    var config = DiTConfig()
    (config.patch, config.width, config.depth, config.heads) = (14, 8, 1, 1)
    return config
  }

  private func fresh(_ engine: Engine) throws -> Named<ShardedArray> {
    let model = ModelConfig.dit(config)
    return try engine.compile(Named()) { _ in model.weights.initialized(Key(seed: 1)) }(Named())
  }

  @Test func weightsComeBackAsTheyWent() throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    let weights = try fresh(engine)
    let card = ModelFile.Card(model: .dit(config), anyStep: true, guidance: 0.5)
    for dtype in [DType.float32, .bfloat16] {
      let path = folder.path + "/\(dtype).safetensors"
      try ModelFile.write(weights, card: card, to: path, as: dtype, on: engine)
      #expect(try SafeTensors(path: path).types.values.allSatisfy { $0.dtype == dtype })
      let read = try ModelFile(path, on: engine)
      #expect(read.card == card)
      #expect(read.weights.names == weights.names)
      for (name, buffer) in weights.pairs {
        let (found, expected) = (
          try read.weights[name]!.array(of: Float.self), try buffer.array(of: Float.self)
        )
        let limit: Float = dtype == .float32 ? 0 : 0x1p-8
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= limit * abs($1) }, "\(name)")
      }
    }
  }

  @Test func everyMisfitIsNamed() throws {
    let (engine, folder) = (try SharedEngine.get(), try TemporaryFolder())
    var weights = try fresh(engine)
    weights["output.bia"] = weights["output.bias"]
    weights["output.bias"] = nil
    weights["label.weight"] = weights["output.weight"]
    let path = folder.path + "/misfit.safetensors"
    try ModelFile.write(
      weights, card: ModelFile.Card(model: .dit(config)), to: path, on: engine)
    do {
      _ = try ModelFile(path, on: engine)
      Issue.record("weights that do not fit were taken")
    } catch WeightsError.mismatch(_, let problems) {
      #expect(problems.contains(.missing(name: "output.bias", similar: "output.bia")))
      #expect(problems.contains(.unused(name: "output.bia")))
      #expect(problems.count == 3)
    }
  }

  @Test func otherProgramsFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/plain.safetensors"
    try SafeTensors.write(Named(), to: path) { _ in [] }
    #expect(throws: TrainingError.noModel(path: path)) {
      try ModelFile(path, on: SharedEngine.get())
    }
  }
}
