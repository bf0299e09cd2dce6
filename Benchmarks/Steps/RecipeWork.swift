import Runtime
import Foundation
import Models
import Recipe
import Tensors
import Training

/// Training runs with a recipe, and evaluations of a recipe's network, of any size and on any
/// device.
extension Bench {
  /// Times steps of a training run.
  func runRecipe(_ recipe: TrainingRecipe, on engine: Engine) throws {
    let trainer = try Trainer(recipe, on: engine, start: .replacing)
    let compilation = trainer.function.compilation
    emit([
      "trace_s": compilation.tracing, "compile_s": compilation.compiling,
      "cached": compilation.cached, "planned_bytes": trainer.function.executable.memory?.total ?? 0,
      "parameters": recipe.model.weights.values.reduce(0) { $0 + $1.shape.count },
    ])
    for i in 0..<(warmup + steps) {
      let (start, used) = (ContinuousClock.now, clock())
      let loss = try trainer.advance()["loss"]!
      let seconds = (ContinuousClock.now - start).seconds
      let cpu = Double(clock() - used) / Double(CLOCKS_PER_SEC)
      if i >= warmup {
        emit(["step": i - warmup, "seconds": seconds, "cpu_seconds": cpu, "loss": loss])
      }
    }
    try emitMemory(engine)
  }

  /// Measures the fraction of time that the devices wait between steps: with data and steps
  /// prepared sequentially, and while a step runs.
  func measureWaiting(_ recipe: TrainingRecipe, on engine: Engine) throws {
    var recipe = recipe
    recipe.steps = warmup + steps
    for overlaps in [false, true] {
      let trainer = try Trainer(
        recipe, on: engine, start: .replacing, by: "bench", overlapping: overlaps
      ) { _ in }
      let start = ContinuousClock.now
      try trainer.run()
      emit([
        "overlapping": overlaps, "steps": recipe.steps,
        "waiting_percent": 100 * (trainer.waitingShare ?? .nan),
        "seconds": (ContinuousClock.now - start).seconds,
      ])
    }
  }

  /// Counts the FLOPs of a step by compiling it for the CPU.
  func countRecipe() throws {
    let plan = try Plan(decoded(), on: Engine().client)
    emit(["flop": plan.flops, "bytes": plan.memory.total])
  }

  /// Times evaluations of the network alone, with weights in bf16.
  func runEvaluation(on engine: Engine) throws {
    let model = try decoded().model
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1)).mapValues { $0.cast(to: .bfloat16) }
    }(Named())
    let shape = [1] + model.sampleShape().sizes
    let function = try engine.compile(weights.types.prefixed("weights")) { a in
      let network = model.velocityModel(a.group("weights"))!
      let noise = Key(seed: 2).normal(Shape(shape), .bfloat16)
      let time = Tensor.ones([1], .bfloat16)
      let y = network(
        noise, time: time, target: time.zerosLike,
        condition: Named(
          model.conditions.map { ($0.name, .zeros($0.type(batch: 1).shape, $0.dtype)) }))
      return Named([("mean", y.cast(to: .float32).mean())])
    }
    let arguments = weights.prefixed("weights")
    emit([
      "trace_s": function.compilation.tracing, "compile_s": function.compilation.compiling,
      "cached": function.compilation.cached,
      "parameters": weights.types.values.reduce(0) { $0 + $1.shape.count },
    ])
    for i in 0..<(warmup + steps) {
      let start = ContinuousClock.now
      let mean = try function(arguments)["mean"]!.array(of: Float.self)[0]
      let seconds = (ContinuousClock.now - start).seconds
      if i >= warmup { emit(["step": i - warmup, "seconds": seconds, "mean": mean]) }
    }
    try emitMemory(engine)
  }

  func decoded() throws -> TrainingRecipe {
    guard let recipe else { preconditionFailure("--recipe names the work") }
    return try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: recipe, settings: settings.map { try RecipeSetting($0) })
  }

  private func emitMemory(_ engine: Engine) throws {
    guard let memory = try engine.client.memory(of: engine.client.addressableDevices[0]),
      let peak = memory.peak
    else { return }
    emit(["peak_bytes": peak])
  }
}
