import Foundation
import Pipelines
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// What runs and their checkpoints hold for generation, and for other programs.
@Suite struct TrainedRunTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  @Test func aRunAndItsCheckpointsAreFoundByTheirFolders() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("a")), on: engine).run()
    let newest = try #require(try TrainedRun(run("a") + "/"))
    #expect(newest.step == 4 && !newest.isTransformer && newest.model == nil)
    #expect(newest.weights == run("a/checkpoints/step-000004/weights.safetensors"))
    #expect(try TrainedRun(run("a"), step: 2)?.step == 2)
    #expect(try TrainedRun(run("a/checkpoints/step-000002"))?.step == 2)
    #expect(throws: TrainingError.noSuchCheckpoint(path: run("a"), step: 3, known: [4, 2])) {
      try TrainedRun(run("a"), step: 3)
    }
    for other in ["", "a/checkpoints", "a/weights.safetensors", "none"] {
      #expect(try TrainedRun(run(other)) == nil)
    }
    // Each checkpoint has the weights of its step.
    let files = try [2, 4].map {
      try ModelFile(TrainedRun(run("a"), step: $0)!.weights, on: engine)
    }
    let last = try ModelFile(run("a/weights.safetensors"), on: engine)
    let name = try last.weights.names[0]
    let bytes = try (files + [last]).map { try $0.weights[name]!.bytes() }
    #expect(bytes[0] != bytes[1] && bytes[1] == bytes[2])
  }

  @Test func weightsAndLoRAAreExported() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base")), on: engine).run()
    let base = try #require(try TrainedRun(run("base")))
    let half = run("half.safetensors")
    #expect(try base.export(to: half, as: .bfloat16, on: engine) == [half])
    let written = try SafeTensors(path: half)
    #expect(written.types.values.contains { $0.dtype == .bfloat16 })
    #expect(
      try ModelFile(half, on: engine).weights.names
        == ModelFile(base.weights, on: engine).weights.names)

    try Trainer(
      tinyRecipe(run("lora"), "start=\(base.weights)", "lora={rank: 2, layers: [attention]}"),
      on: engine
    ).run()
    let lora = try #require(try TrainedRun(run("lora"), step: 4))
    let file = run("lora.safetensors")
    #expect(try lora.export(to: file, on: engine) == [file])
    #expect(try LoRAFile(path: file).modules.count == 4)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: file))
        == Data(contentsOf: URL(fileURLWithPath: lora.weights)))
    // A damaged checkpoint is not exported.
    let handle = try #require(FileHandle(forWritingAtPath: lora.weights))
    try handle.truncate(atOffset: 100)
    #expect {
      try TrainedRun(run("lora"), step: 4)?.export(to: file, on: engine)
    } throws: { "\($0)".contains("step-000004 is damaged") }
  }
}
