import Pipelines
import Runtime
import Foundation
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

@Suite struct LoRATrainingTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func base(_ engine: Engine) throws -> ModelFile {
    let output = folder.path + "/base"
    try Trainer(tinyRecipe(output, "ema_decay=0"), on: engine).run()
    return try ModelFile(output + "/weights.safetensors", on: engine)
  }

  @Test(arguments: [
    ("objective.target_ema_decay=0.99", "pair"), ("objective.target_ema_decay=1", "pair"),
    ("objective.time_convention=middle", "middle"),
  ])
  func onlyLoRAAndFullyTrainedWeightsChange(setting: String, convention: String) throws {
    let engine = try SharedEngine.get()
    let base = try base(engine)
    let recipe = try tinyRecipe(
      folder.path + "/run", "start=\(base.path)",
      "ema_decay=0",
      "lora={rank: 2, alpha: 4, layers: [attention], full: [target]}", setting)
    let trainer = try Trainer(recipe, on: engine)
    let before = try trainer.weights()
    for (name, buffer) in try base.weights.pairs {
      #expect(try before[name]!.bytes() == buffer.bytes(), "\(name) at the start")
    }
    try trainer.run()

    // Only the factors are saved; reading them merges them with the weights.
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run/weights.safetensors"))
    let file = try ModelFile(recipe.result, on: engine)
    for (name, buffer) in try trainer.weights().pairs {
      #expect(try file.weights[name]!.bytes() == buffer.bytes(), "\(name) in the end")
    }
    #expect(file.card.timeConvention.rawValue == convention)
    let changed = try base.weights.names.filter {
      try base.weights[$0]!.bytes() != file.weights[$0]!.bytes()
    }
    let expected = try base.weights.names.filter {
      $0.hasPrefix("target.") && convention == "pair"
        || $0.contains("attention.") && $0.hasSuffix("weight")
    }
    #expect(Set(changed) == Set(expected))

    let state = try SafeTensors(path: newestState(folder.path + "/run")).types
    #expect(state["optimizer.first.blocks.*.attention.to_q.lora_A.weight"]?.shape == [1, 2, 16])
    #expect(state["optimizer.first.blocks.*.attention.to_q.weight"] == nil)
    #expect(!state.names.contains { $0.hasPrefix("frozen.") })

    let adapter = try SafeTensors(path: recipe.result)
    #expect(
      adapter.types["transformer.blocks.0.attention.to_q.lora_A.weight"]?.shape == [2, 16])
    #expect(
      adapter.types.names.allSatisfy {
        $0.contains(".lora_") || $0.hasPrefix("transformer.target.")
      })
    let described = try JSONSerialization.jsonObject(
      with: Data((adapter.metadata["lora_adapter_metadata"] ?? "").utf8))
    let fields = try #require(described as? [String: Any])
    // The scale alpha / rank is part of B.
    #expect(fields["transformer.r"] as? Int == 2 && fields["transformer.lora_alpha"] as? Int == 2)
    #expect(
      (fields["transformer.target_modules"] as? [String])?.sorted() == [
        "blocks.0.attention.to_k", "blocks.0.attention.to_out.0", "blocks.0.attention.to_q",
        "blocks.0.attention.to_v",
      ])
  }

  /// A base that is stored in 16 bits stays in 16 bits: in the state, and in the planned memory.
  @Test func aFrozenBaseStaysAsItIsStored() throws {
    let engine = try SharedEngine.get()
    let base = try base(engine)
    let half = folder.path + "/half.safetensors"
    try ModelFile.write(base.weights, card: base.card, to: half, as: .bfloat16, on: engine)
    func memory(_ start: String, _ output: String) throws -> (frozen: Int, arguments: Int) {
      let trainer = try Trainer(
        tinyRecipe(
          folder.path + "/" + output, "start=\(start)", "ema_decay=0",
          "lora={rank: 1, layers: [attention]}"), on: engine)
      let frozen = trainer.stateTypes.group("frozen").values.reduce(0) { $0 + $1.byteCount }
      return (frozen, trainer.function.executable.memory!.arguments)
    }
    let (single, narrow) = (try memory(base.path, "single"), try memory(half, "narrow"))
    #expect(single.frozen == 2 * narrow.frozen && narrow.frozen > 0)
    #expect(single.arguments - narrow.arguments == narrow.frozen)
  }

  @Test func aLoRARunResumesOnItsOwnBase() throws {
    let engine = try SharedEngine.get()
    let base = try base(engine)
    func recipe(_ output: String) throws -> TrainingRecipe {
      try tinyRecipe(
        folder.path + "/" + output, "start=\(base.path)", "lora={rank: 2, layers: [attention]}")
    }
    let whole = try Trainer(recipe("whole"), on: engine)
    try whole.run()
    let first = try Trainer(recipe("halves"), on: engine)
    try first.run(stopping: { first.step == 2 })
    try Trainer(recipe("halves"), on: engine, start: .resumed).run()
    for file in ["checkpoints/step-000004/state.safetensors", "adapter.safetensors"] {
      let files = try ["whole", "halves"].map {
        try SafeTensors(path: folder.path + "/\($0)/\(file)")
      }
      for name in files[0].types.names {
        #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(file): \(name)")
      }
    }
    // Another base in the same place is not the one that LoRA was trained with.
    try Trainer(
      tinyRecipe(folder.path + "/base", "ema_decay=0", "seed=99"), on: engine, start: .replacing
    ).run()
    #expect {
      try Trainer(recipe("halves"), on: engine, start: .resumed)
    } throws: { "\($0)".contains("other weights") }
    #expect {
      try ModelFile(recipe("halves").result, on: engine)
    } throws: { error in
      guard case PipelineError.otherBase = error else { return false }
      return true
    }
  }

  /// With a moving average LoRA is saved as its average, and goes on from where it was.
  @Test func theAverageOfLoRAIsSaved() throws {
    let engine = try SharedEngine.get()
    let base = try base(engine)
    let recipe = try tinyRecipe(
      folder.path + "/run", "start=\(base.path)", "ema_decay=0.9",
      "lora={rank: 2, layers: [attention]}")
    try Trainer(recipe, on: engine).run()
    let state = try SafeTensors(path: newestState(recipe.output))
    let adapter = try SafeTensors(path: recipe.result)
    let name = { (layer: String) in "blocks.\(layer).attention.to_q.lora_A.weight" }
    let bytes = { (file: SafeTensors, name: String) in
      withExtendedLifetime(file) { file.bytes(name).map { Array($0) } }
    }
    let saved = try #require(bytes(adapter, "transformer." + name("0")))
    #expect(saved == bytes(state, "ema." + name("*")))
    #expect(saved != bytes(state, "weights." + name("*")))
  }

  @Test func loRANeedsInitialWeights() {
    #expect {
      try tinyRecipe("x", "lora={rank: 2}")
    } throws: { "\($0)".contains("start") }
    #expect {
      try tinyRecipe("x", "start=base", "lora={rank: 2, layers: [atention]}")
    } throws: { "\($0)".contains("blocks.*.attention.to_q") }
    #expect {
      try tinyRecipe("x", "start=base", "lora={rank: 0}")
    } throws: { "\($0)".contains("rank") }
  }
}
