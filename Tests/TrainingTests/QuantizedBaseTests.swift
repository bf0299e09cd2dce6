import Foundation
import PJRT
import Pipelines
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// LoRA beside a base that is kept in 8 bits.
@Suite struct QuantizedBaseTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Weights to start from, after a few steps.
  private func base(_ engine: Engine, _ settings: String...) throws -> String {
    let output = folder.path + "/base"
    try Trainer(tinyRecipe(output, ["ema_decay=0"] + settings), on: engine).run()
    return output + "/weights.safetensors"
  }

  private func recipe(
    _ output: String, start: String, _ settings: String...
  ) throws -> TrainingRecipe {
    try tinyRecipe(
      folder.path + "/" + output,
      ["start=\(start)", "ema_decay=0", "lora={rank: 2, full: [target]}", "base_dtype=int8"]
        + settings)
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let norm = { (x: [Double]) in x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return norm(zip(a, b).map { Double($0) - Double($1) }) / norm(a.map { Double($0) })
  }

  @Test func matricesTakeAByteAWeight() throws {
    let engine = try SharedEngine.get()
    let start = try base(engine)
    let (wide, narrow) = (
      try Trainer(recipe("wide", start: start, "base_dtype=stored"), on: engine),
      try Trainer(recipe("narrow", start: start), on: engine)
    )
    let specs = narrow.recipe.model.weights
    let frozen = narrow.stateTypes.group("frozen")
    var saved = 0
    for (name, type) in wide.stateTypes.group("frozen").pairs {
      let spec = try #require(specs[name])
      #expect(frozen[name] == TensorType(type.shape, spec.isMatrix ? .int8 : .float32))
      guard spec.isMatrix else { continue }
      #expect(frozen[name + "_scale"] == TensorType(Shape(type.shape.sizes.dropLast()), .float32))
      saved += 3 * type.shape.count - 4 * type.shape.count / type.shape[-1]
    }
    // What is trained in full is not quantized.
    #expect(narrow.stateTypes["weights.target.input.weight"]?.dtype == .float32)
    let arguments = [wide, narrow].map { $0.function.executable.memory!.arguments }
    #expect(saved > 0 && arguments[0] - arguments[1] == saved)

    let plans = try [wide, narrow].map { try Plan($0.recipe, on: engine.client) }
    #expect(plans[0].memory.weights - plans[1].memory.weights == saved)
    #expect(plans[0].frozenBytes - plans[1].frozenBytes == saved)
    let least = try [wide, narrow].map {
      let base = try StartWeights(start, like: $0.recipe.model)
      return try $0.recipe.leastBytes(stored: $0.recipe.frozenTypes(base))
    }
    #expect(Int(least[0] - least[1]) == saved)
  }

  /// LoRA is merged with the base in the element types of training.
  @Test func whatIsSavedIsWhatWasTrained() throws {
    let engine = try SharedEngine.get()
    let start = try base(engine)
    let trainer = try Trainer(recipe("run", start: start), on: engine)
    let original = try ModelFile(start, on: engine).weights
    for (name, array) in try trainer.weights().pairs {
      let (a, b) = (try original[name]!.array(of: Float.self), try array.array(of: Float.self))
      let limit = a.map(abs).max()! / 253
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= limit }, "\(name)")
      let isMatrix = trainer.recipe.model.weights[name]!.isMatrix && !name.hasPrefix("target.")
      #expect(isMatrix == (a != b) || a.allSatisfy { $0 == 0 }, "\(name)")
    }
    try trainer.run()
    let file = try ModelFile(trainer.recipe.result, on: engine)
    for (name, array) in try trainer.weights().pairs {
      #expect(try file.weights[name]!.bytes() == array.bytes(), "\(name)")
    }
    let wide = try Trainer(recipe("wide", start: start, "base_dtype=stored"), on: engine)
    try wide.run()
    let factors = try [trainer, wide].map { try SafeTensors(path: $0.recipe.result).types }
    #expect(factors[0] == factors[1])
    let state = try SafeTensors(path: newestState(folder.path + "/run")).types
    #expect(!state.names.contains { $0.hasPrefix("frozen.") || $0.hasSuffix("_scale") })
  }

  @Test func aRunLearns() throws {
    let engine = try SharedEngine.get()
    let start = try base(engine)
    let trainer = try Trainer(
      recipe(
        "run", start: start, "objective={preset: flow-matching}", "steps=60", "batch=16",
        "optimizer={kind: adamw, learning_rate: 1e-2}", "lora={rank: 4}"), on: engine)
    let losses = try (0..<60).map { _ in Double(try trainer.advance()["loss"]!) }
    let (first, last) = (losses[..<10].reduce(0, +), losses[50...].reduce(0, +))
    #expect(last < 0.9 * first, "\(losses)")
  }

  @Test(arguments: ["base_dtype=int8", "base_dtype=int4", "base_dtype=bf16"])
  func aRunGoesOnWhereItWas(setting: String) throws {
    let engine = try SharedEngine.get()
    let start = try base(engine)
    let whole = try Trainer(recipe("whole", start: start, setting), on: engine)
    try whole.run()
    let first = try Trainer(recipe("halves", start: start, setting), on: engine)
    try first.run(stopping: { first.step == 2 })
    try Trainer(recipe("halves", start: start, setting), on: engine, start: .resumed).run()
    for file in ["checkpoints/step-000004/state.safetensors", "adapter.safetensors"] {
      let files = try ["whole", "halves"].map {
        try SafeTensors(path: folder.path + "/\($0)/\(file)")
      }
      for name in files[0].types.names {
        #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(file): \(name)")
      }
    }
    #expect {
      try Trainer(
        recipe("halves", start: start, "base_dtype=stored"), on: engine, start: .resumed)
    } throws: { "\($0)".contains("base_dtype") }
  }

  /// A file that is in 8 bits already stays so without being asked.
  @Test func aQuantizedFileStaysAsItIs() throws {
    let engine = try SharedEngine.get()
    let start = try base(engine)
    let file = try ModelFile(start, on: engine)
    let quantized = folder.path + "/quantized.safetensors"
    try ModelFile.write(file.weights, card: file.card, to: quantized, as: .int8, on: engine)
    let types = try SafeTensors(path: quantized).types
    #expect(types["blocks.0.attention.to_q.weight"]?.dtype == .int8)
    #expect(types["blocks.0.attention.to_q.weight_scale"] == TensorType([16], .float32))
    #expect(types["class_embedding.weight"]?.dtype == .float32)

    func losses(_ output: String, _ start: String, _ setting: String) throws -> [Float] {
      let trainer = try Trainer(recipe(output, start: start, setting), on: engine)
      #expect(trainer.stateTypes["frozen.blocks.*.attention.to_q.weight"]?.dtype == .int8)
      return try (0..<3).map { _ in try trainer.advance()["loss"]! }
    }
    let (stored, loaded) = (
      try losses("stored", quantized, "base_dtype=stored"), try losses("loaded", start, "steps=4")
    )
    for (a, b) in zip(stored, loaded) { #expect(abs(a - b) <= 1e-4 * abs(b)) }

    // It generates as it is, and can be widened again.
    let read = try ModelFile(quantized, on: engine)
    let output = try #require(try read.weights["output.weight"])
    #expect(output.type.dtype == .int8)
    let images = try Generator(read, batch: 2, on: engine)(
      ["1", "2"], .preset(1), seed: 1)
    #expect(images.type.shape == [2, 28, 28, 1])
    let wide = folder.path + "/wide.safetensors"
    try ModelFile.write(read.weights, card: read.card, to: wide, as: .bfloat16, on: engine)
    let widened = try SafeTensors(path: wide).types
    #expect(widened.values.allSatisfy { $0.dtype == .bfloat16 })
    #expect(!widened.names.contains { $0.hasSuffix("_scale") })
  }

  @Test func aMeshTrainsTheSame() throws {
    let engine = try Engine(
      client: SharedClient.get(devices: 4),
      cache: ExecutableCache(directory: NSTemporaryDirectory() + "twinflow-test-executables"))
    let model = "model={kind: dit, patch: 7, width: 32, depth: 2, heads: 4, mlp_ratio: 2}"
    let start = try base(engine, model)
    func result(_ mesh: String) throws -> (losses: [Float], all: [Float], arguments: Int) {
      let trainer = try Trainer(
        recipe("run-\(mesh.count)", start: start, model, "batch=8", "mesh=\(mesh)"), on: engine)
      let losses = try (0..<4).map { _ in try trainer.advance()["loss"]! }
      return (
        losses, try trainer.weights().values.flatMap { try $0.array(of: Float.self) },
        trainer.function.executable.memory!.arguments
      )
    }
    let (one, four) = (try result("{}"), try result("{fsdp: 2, tensor: 2}"))
    for (a, b) in zip(one.losses, four.losses) { #expect(abs(a - b) <= 1e-5 * abs(a)) }
    #expect(distance(one.all, four.all) <= 1e-5)
    #expect(four.arguments < one.arguments)
  }

  @Test func onlyAFrozenBaseIsKeptInAnotherType() {
    #expect {
      try tinyRecipe("x", "base_dtype=int8")
    } throws: { "\($0)".contains("base_dtype") && "\($0)".contains("lora") }
    #expect {
      try tinyRecipe("x", "start=base", "lora={rank: 2}", "base_dtype=int2")
    } throws: { "\($0)".contains("\"stored\", \"bf16\", \"int8\", \"int4\"") }
  }
}
