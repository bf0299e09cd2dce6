import Foundation
import Pipelines
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// Weights that stay as they are.
@Suite struct FreezeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ name: String) -> String { folder.path + "/" + name }

  @Test(arguments: [
    ("patches.*", "patches.weight", true), ("patches.*", "patches.bias", true),
    ("patches.*", "patch.bias", false), ("*", "", true), ("*.weight", "blocks.*.norm.weight", true),
    ("*.weight", "blocks.*.norm.weight_scale", false), ("patches", "patches.weight", false),
    ("blocks.*.to_q.*", "blocks.*.attention.to_q.weight", true), ("a*b*c", "abc", true),
    ("a*b*c", "acb", false), ("ab*ba", "aba", false), ("a**c", "abc", true),
  ])
  func patterns(pattern: String, name: String, matches: Bool) {
    #expect(NamePattern(pattern).matches(name) == matches)
  }

  @Test(arguments: [true, false]) func frozenWeightsStayAndTheRestIsTrained(hasStart: Bool) throws {
    let engine = try SharedEngine.get()
    var settings = ["freeze=[patches.*, '*.attention.*']", "ema_decay=0"]
    if hasStart {
      try Trainer(tinyRecipe(run("base"), "seed=8"), on: engine).run()
      settings.append("start=\(run("base/weights.safetensors"))")
    }
    let trainer = try Trainer(tinyRecipe(run("a"), settings), on: engine)
    let before = try trainer.weights().mapValues { try $0.bytes() }
    let frozen = before.names.filter {
      $0.hasPrefix("patches.") || $0.contains(".attention.")
    }
    #expect(frozen.count > 4 && frozen.count < before.names.count)
    // Neither moments nor averages are kept for them.
    #expect(Set(trainer.stateTypes.group("frozen").names) == Set(frozen))
    #expect(trainer.stateTypes.names.filter { $0.contains("patches.weight") }.count == 1)
    try trainer.run()
    let file = try ModelFile(run("a/weights.safetensors"), on: engine)
    #expect(try file.weights.names == before.names)
    for (name, array) in try file.weights.pairs {
      #expect(try (array.bytes() == before[name]!) == frozen.contains(name), "\(name)")
    }
  }

  /// Without LoRA the checkpoint holds frozen weights too, so that it needs no other file.
  @Test func aRunWithFrozenWeightsGoesOnWhereItWas() throws {
    let engine = try SharedEngine.get()
    try Trainer(tinyRecipe(run("base"), "seed=8"), on: engine).run()
    let settings = ["freeze=[patches.*]", "start=\(run("base/weights.safetensors"))"]
    try Trainer(tinyRecipe(run("whole"), settings), on: engine).run()
    let first = try Trainer(tinyRecipe(run("halves"), settings), on: engine)
    try first.run(stopping: { first.step == 2 })
    try FileManager.default.removeItem(atPath: run("base"))
    try Trainer(tinyRecipe(run("halves"), settings), on: engine, start: .resumed).run()
    let files = ["weights.safetensors", "checkpoints/step-000004/state.safetensors"]
    for file in files {
      let pair = try ["whole", "halves"].map { try SafeTensors(path: run("\($0)/\(file)")) }
      #expect(pair[0].types == pair[1].types)
      for name in pair[0].types.names {
        #expect(Array(pair[0].bytes(name)!) == Array(pair[1].bytes(name)!), "\(file): \(name)")
      }
    }
    #expect(throws: TrainingError.self) {
      try Trainer(tinyRecipe(run("halves"), "freeze=[]"), on: engine, start: .resumed)
    }
  }

  @Test(arguments: [
    ("freeze=[patch.*]", ["freeze", "patch.*", "patches."]),
    ("freeze=['*']", ["freeze", "nothing is left to train"]),
    ("freeze=[blocks.0.*]", ["no weight of the network", "blocks.*."]),
  ])
  func patternsThatCannotBeAreErrors(setting: String, hints: [String]) {
    let error = #expect(throws: (any Error).self) { try tinyRecipe("out", setting) }
    for hint in hints { #expect("\(error!)".contains(hint), "\(error!)") }
  }

  @Test func withLoRAThereIsNothingToFreeze() {
    #expect {
      try tinyRecipe("out", "start=base", "lora={rank: 1}", "freeze=[patches.*]")
    } throws: { "\($0)".contains("lora.layers") }
  }
}
