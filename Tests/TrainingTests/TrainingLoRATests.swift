import Foundation
import Pipelines
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// LoRA that is on in training and not saved, and moments in 8 bits.
@Suite struct TrainingLoRATests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  /// A base and LoRA for it, trained a little.
  private func made() throws -> (base: String, adapter: String) {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base"), "ema_decay=0"), on: engine).run()
    let base = run("base/weights.safetensors")
    try Trainer(
      tinyRecipe(
        run("made"), "start=\(base)", "ema_decay=0", "seed=5", "optimizer.learning_rate=1e-1",
        "lora={rank: 2, alpha: 64}"), on: engine
    ).run()
    return (base, run("made/adapter.safetensors"))
  }

  /// The first loss is that of the base with LoRA merged; what is saved is trained, and has none of it.
  @Test(arguments: ["lora={rank: 1, layers: [attention]}", "lora=null"])
  func itIsOnInTrainingOnly(setting: String) throws {
    let engine = try SharedEngine.get()
    let (base, adapter) = try made()
    let merged = try ModelFile(adapter, on: engine)
    let whole = run("merged.safetensors")
    try ModelFile.write(merged.weights, card: merged.card, to: whole, on: engine)
    func trainer(_ name: String, _ settings: String...) throws -> Trainer {
      try Trainer(
        tinyRecipe(run(name), ["objective={preset: flow-matching}", "ema_decay=0"] + settings),
        on: engine)
    }
    let plain = try trainer("plain", "start=\(base)", setting)
    let with = try trainer("with", "start=\(base)", "training_lora=\(adapter)", setting)
    let before = try with.weights().mapValues { try $0.bytes() }
    #expect(try before == plain.weights().mapValues { try $0.bytes() })
    let same = try trainer("same", "start=\(whole)", setting)
    let losses = try [plain, with, same].map { Double(try $0.advance()["loss"]!) }
    #expect(abs(losses[1] - losses[2]) < 1e-5 * losses[2])
    #expect(abs(losses[1] - losses[0]) > 1e-4 * losses[0])
    try with.save()
    let state = try SafeTensors(path: newestState(run("with"))).types.names
    #expect(!state.contains { $0.contains(".lora.") || $0.hasPrefix("frozen.") })
    let saved = try ModelFile(with.recipe.result, on: engine)
    #expect(try saved.weights.names == before.names)
    for (name, array) in try with.weights().pairs {
      #expect(try saved.weights[name]!.bytes() == array.bytes(), "\(name)")
    }
  }

  @Test func aRunGoesOnWithTheSameFileOnly() throws {
    let engine = try SharedEngine.get()
    let (base, adapter) = try made()
    let settings = ["start=\(base)", "training_lora=\(adapter)", "lora={rank: 1}"]
    try Trainer(tinyRecipe(run("whole"), settings), on: engine).run()
    let first = try Trainer(tinyRecipe(run("halves"), settings), on: engine)
    try first.run(stopping: { first.step == 2 })
    try Trainer(tinyRecipe(run("halves"), settings), on: engine, start: .resumed).run()
    let files = try ["whole", "halves"].map {
      try Data(contentsOf: URL(fileURLWithPath: run("\($0)/adapter.safetensors")))
    }
    #expect(files[0] == files[1])
    for other in [nil, run("whole/adapter.safetensors")] {
      let changed =
        settings.filter { !$0.hasPrefix("training_lora") }
        + (other.map { ["training_lora=\($0)"] } ?? [])
      #expect {
        try Trainer(tinyRecipe(run("halves"), changed), on: engine, start: .resumed)
      } throws: { "\($0)".contains("training_lora was another file") }
    }
  }

  @Test func itNeedsAStartAndTheNetworkOfItsFile() throws {
    #expect {
      try tinyRecipe("out", "training_lora=some.safetensors")
    } throws: { "\($0)".contains("name its weights under start") }
    let (_, adapter) = try made()
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("wide"), "model.width=32"), on: engine).run()
    #expect(throws: WeightsError.self) {
      try Trainer(
        tinyRecipe(
          run("other"), "training_lora=\(adapter)", "model.width=32",
          "start=\(run("wide/weights.safetensors"))"), on: engine)
    }
  }

  /// A run whose moments are in 8 bits learns as one in f32, takes less memory, and goes on bit by bit.
  @Test func momentsInEightBits() throws {
    let engine = try SharedEngine.get()
    let settings = [
      "model.width=64", "model.heads=4", "objective={preset: flow-matching}", "steps=40",
      "batch=16", "checkpoint_every=20", "optimizer={kind: adamw, learning_rate: 3e-3}",
    ]
    func trainer(_ name: String, _ start: Trainer.Start = .fresh, _ state: String) throws -> Trainer
    {
      try Trainer(
        tinyRecipe(run(name), settings + ["optimizer.state=\(state)"]), on: engine, start: start)
    }
    func losses(_ trainer: Trainer) throws -> [Float] {
      var losses: [Float] = []
      try trainer.run(progress: { losses.append($0.loss) })
      return losses
    }
    let (wide, narrow) = (try trainer("wide", .fresh, "f32"), try trainer("narrow", .fresh, "int8"))
    let bytes = [wide, narrow].map {
      $0.stateTypes.group("optimizer").values.reduce(0) { $0 + $1.byteCount }
    }
    #expect(Double(bytes[1]) < 0.4 * Double(bytes[0]))
    let results = [try losses(wide), try losses(narrow)]
    for (a, b) in zip(results[0], results[1]) { #expect(abs(a - b) < 0.05 * a, "\(results)") }
    #expect(results[0].last! < 0.9 * results[0][0])
    let first = try trainer("halves", .fresh, "int8")
    try first.run(stopping: { first.step == 20 })
    try trainer("halves", .resumed, "int8").run()
    let files = try ["narrow", "halves"].map {
      try Data(contentsOf: URL(fileURLWithPath: run("\($0)/weights.safetensors")))
    }
    #expect(files[0] == files[1])
    // The plan counts what is kept.
    let plans = try ["f32", "int8"].map {
      try Plan(
        tinyRecipe(run("plan"), settings + ["optimizer.state=\($0)"]), on: engine.client)
    }
    #expect(plans.map(\.memory.moments) == bytes)
  }
}
