import Pipelines
import Runtime
import Tensors

/// A recipe's step, run a few times on zeros to see how long it takes.
public struct StepTrial: Sendable {
  /// The seconds of a step.
  public let seconds: Double
  /// The steps that were timed.
  public let steps: Int

  /// Compiles the step for the engine's devices, and runs it: once to warm up, then for a few seconds.
  /// Neither weights nor data are read; the state takes as much memory as that of a run.
  ///
  /// - Parameter limit: the seconds after which no further step is started.
  /// - Throws: `RuntimeError.outOfMemory` where it does not fit, and the plugin's errors.
  public init(_ given: TrainingRecipe, on engine: Engine, within limit: Double = 5) throws {
    let engine = try engine.spread(over: given.mesh)
    let (recipe, base) = try given.resolved(isPlan: true)
    let stored = try recipe.frozenTypes(base)
    try engine.checkFits(recipe, stored: stored)
    let step = try TrainingStep(
      recipe, stored: stored,
      trainingLoRA: TrainingLoRA(recipe, isPlan: true)?.specs ?? Named())
    let program = TrainingStep.Program(
      updates: step.updates(at: 0), signature: step.batchTypes)
    let function = try step.compiled(
      program, on: engine.client, cache: engine.cache, mesh: engine.mesh)
    try engine.checkFits(function)
    func zeros(_ spec: ArraySpec) throws -> ShardedArray {
      let client = engine.client
      return try ShardedArray(
        spec.type, spec.sharding, engine.mesh, places: client.places(in: engine.mesh)
      ) { region, place in
        let type = BufferType(spec.type.dtype, region.sizes)
        let count = region.sizes.reduce(spec.type.dtype.byteCount, *)
        return try [UInt8](repeating: 0, count: count).withUnsafeBytes {
          try client.buffer(bytes: $0, type, on: client.devices[place])
        }
      }
    }
    let state = try step.specs.flattened().mapValues(zeros)
    let batch = try step.batchTypes.mapValues {
      try zeros(ArraySpec($0, TrainingStep.batchSharding))
    }.prefixed("batch")
    (seconds, steps) = try RuntimeError.reportingMemory(of: function) {
      var state = state
      func run() throws {
        let (results, completion) = try function.start(state.merging(batch))
        state.merge(results.filter { state[$0] != nil })
        try completion.wait()
      }
      try run()
      let clock = ContinuousClock()
      let start = clock.now
      var count = 0
      repeat {
        try run()
        count += 1
      } while count < 50 && (clock.now - start).seconds < limit
      return ((clock.now - start).seconds / Double(count), count)
    }
  }
}
