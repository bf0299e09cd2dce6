import Tensors
import Testing
import Weights

@testable import Training

@Suite struct AdapterTrainingTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func base(_ engine: Engine) throws -> ModelFile {
    let output = folder.path + "/base"
    try Trainer(tinyRecipe(output, "smoothing=0"), on: engine).run()
    return try ModelFile(output + "/weights.safetensors", on: engine)
  }

  @Test(arguments: [
    ("objective.average_rate=0.99", "pair"), ("objective.average_rate=1", "pair"),
    ("objective.time_convention=middle", "middle"),
  ])
  func onlyAdaptersAndWhatIsTrainedInFullChange(setting: String, convention: String) throws {
    let engine = try SharedEngine.get()
    let base = try base(engine)
    let recipe = try tinyRecipe(
      folder.path + "/run", "start=\(base.path)",
      "smoothing=0",
      "adapters={rank: 2, alpha: 4, layers: [attention], full: [target]}", setting)
    let trainer = try Trainer(recipe, on: engine)
    let before = try trainer.weights()
    for (name, buffer) in base.weights.pairs {
      #expect(try before[name]!.bytes() == buffer.bytes(), "\(name) at the start")
    }
    try trainer.run()

    let file = try ModelFile(folder.path + "/run/weights.safetensors", on: engine)
    #expect(file.card.timeConvention.rawValue == convention)
    let changed = try base.weights.names.filter {
      try base.weights[$0]!.bytes() != file.weights[$0]!.bytes()
    }
    let expected = base.weights.names.filter {
      $0.hasPrefix("target.") && convention == "pair"
        || $0.contains("attention.") && $0.hasSuffix("weight")
    }
    #expect(Set(changed) == Set(expected))

    let state = try SafeTensors(path: folder.path + "/run/checkpoint.safetensors").types
    #expect(state["optimizer.first.blocks.*.attention.to_q.lora_A.weight"]?.shape == [1, 2, 16])
    #expect(state["optimizer.first.blocks.*.attention.to_q.weight"] == nil)
    #expect(state["frozen.blocks.*.attention.to_q.weight"] != nil)
  }

  @Test func adaptersNeedWeightsToStartFrom() {
    #expect {
      try tinyRecipe("x", "adapters={rank: 2}")
    } throws: { "\($0)".contains("start") }
    #expect {
      try tinyRecipe("x", "start=base", "adapters={rank: 2, layers: [atention]}")
    } throws: { "\($0)".contains("blocks.*.attention.to_q") }
    #expect {
      try tinyRecipe("x", "start=base", "adapters={rank: 0}")
    } throws: { "\($0)".contains("rank") }
  }
}
