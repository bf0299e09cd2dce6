import Foundation
import Layers
import Models
import Tensors

/// One training run: compiles the step once and repeats it on batches.
///
/// The folder of the run holds `checkpoint.safetensors` (the whole state), `weights.safetensors`
/// (what generation takes) and `log.jsonl` (a line of metrics every so many steps).
public final class Trainer {
  /// The recipe of the run.
  public let recipe: TrainingRecipe
  /// The first step's program, and how long it took to compile.
  public let function: CompiledFunction
  /// How many steps have been made.
  public private(set) var step = 0

  private let engine: Engine
  private let trainingStep: TrainingStep
  /// The programs by what they update: most objectives have one.
  private var functions: [TrainingStep.Updates: CompiledFunction] = [:]
  private var state: Named<ShardedArray>
  private var batches: any BatchSource
  private let folder: RunFolder

  /// The types of everything that a checkpoint holds.
  package var stateTypes: Named<TensorType> { trainingStep.stateTypes }

  /// How a run starts.
  public enum Start: Sendable {
    /// From the recipe's weights or fresh ones; the folder must hold no checkpoint.
    case fresh
    /// From the recipe's weights or fresh ones; what the folder holds is replaced.
    case replacing
    /// From the folder's checkpoint, which must be of the same recipe.
    case resumed
  }

  /// What is told of a run as it goes.
  public struct Progress: Sendable {
    /// Steps made, of all runs together.
    public let step: Int
    /// Steps in the whole run.
    public let total: Int
    /// The step's loss.
    public let loss: Float
    /// Steps a second, lately.
    public let rate: Double
    /// Seconds left at that rate.
    public var remaining: Double { Double(total - step) / rate }
  }

  /// Prepares a run: loads or makes the state and compiles the step.
  ///
  /// - Throws: `TrainingError`, and the errors of the plugin, the data and the files.
  public init(_ recipe: TrainingRecipe, on engine: Engine, start: Start = .fresh) throws {
    self.recipe = recipe
    let engine = try engine.spread(over: recipe.mesh)
    self.engine = engine
    trainingStep = try TrainingStep(recipe)
    folder = try RunFolder(recipe.output)
    batches = try recipe.data.batches(size: recipe.batch, seed: recipe.seed)
    var checkpoint: Checkpoint?
    switch start {
    case .fresh: try folder.checkFresh()
    case .replacing: break
    case .resumed:
      let found = try Checkpoint(folder.checkpoint)
      try found.check(recipe)
      step = found.step
      try batches.restore(found.batches)
      checkpoint = found
    }
    let (step, trainingStep) = (step, trainingStep)
    let updates = trainingStep.updates(at: step)
    let function = try Self.compile(trainingStep, updates, engine)
    self.function = function
    state = try Self.withMemoryTold(of: function) {
      try checkpoint?.state(
        trainingStep.stateTypes, shardings: trainingStep.shardings, on: engine)
        ?? Self.initialState(trainingStep, recipe, engine)
    }
    functions[updates] = function
  }

  private static func compile(
    _ step: TrainingStep, _ updates: TrainingStep.Updates, _ engine: Engine
  ) throws -> CompiledFunction {
    try step.compiled(
      updating: updates, on: engine.client, cache: engine.cache, mesh: engine.mesh)
  }

  private static func initialState(
    _ step: TrainingStep, _ recipe: TrainingRecipe, _ engine: Engine
  ) throws -> Named<ShardedArray> {
    guard let start = recipe.start else {
      return try engine.compile(Named(), shardings: step.shardings) { _ in
        step.initialState(step.weights.initialized(Key(seed: recipe.seed)))
      }(Named())
    }
    let base = try ModelFile(start, on: engine)
    guard base.model == recipe.model else {
      throw TrainingError.otherModel(path: start, found: base.model, expected: recipe.model)
    }
    let shardings = base.weights.shardings.merging(step.shardings)
    return try engine.compile(base.weights.types, shardings: shardings) { given in
      let adapters = step.weights.filter { given[$0] == nil }
      return step.initialState(given.merging(adapters.initialized(Key(seed: recipe.seed))))
    }(base.weights)
  }

  /// Trains until the last step, or until told to stop, and saves.
  ///
  /// - Parameters:
  ///   - progress: called after every step.
  ///   - stopping: asked after every step whether to save and stop.
  /// - Returns: whether the last step was reached.
  /// - Throws: `TrainingError.notFinite` when a loss is not a number; what was saved stays.
  @discardableResult
  public func run(
    progress: (Progress) -> Void = { _ in }, stopping: () -> Bool = { false }
  ) throws -> Bool {
    let isFirst = (engine.group?.rank ?? 0) == 0
    let log = isFirst ? try folder.openLog(after: step) : nil
    defer { log?.close() }
    let clock = ContinuousClock()
    var recent: [ContinuousClock.Instant] = [clock.now]
    while step < recipe.steps {
      let metrics = try advance()
      recent.append(clock.now)
      if recent.count > 20 { recent.removeFirst() }
      let span = (recent.last! - recent.first!).seconds
      progress(
        Progress(
          step: step, total: recipe.steps, loss: metrics["loss"] ?? .nan,
          rate: Double(recent.count - 1) / max(span, 1e-9)))
      if step % recipe.logEvery == 0 || step == recipe.steps { try log?.write(step, metrics) }
      if try isTimeToStop(wished: stopping()) {
        try save()
        return step == recipe.steps
      }
      if step % recipe.checkpointEvery == 0 { try save() }
    }
    try save()
    return true
  }

  /// Whether to save and stop: where there are several processes, all at the same step.
  private func isTimeToStop(wished: Bool) throws -> Bool {
    guard let group = engine.group else { return wished }
    if wished { try group.wishToStop() }
    return try group.stop(after: step).map { step >= $0 } ?? false
  }

  /// The bytes that the step that needs most takes on each device, by the compiler's plan; nil where
  /// the plugin does not say.
  package func memory() throws -> Int? {
    let all = Set((0..<recipe.steps).lazy.map(trainingStep.updates))
    return try all.compactMap { updates in
      let function = try functions[updates] ?? Self.compile(trainingStep, updates, engine)
      return function.executable.memory?.total
    }.max()
  }

  /// Makes one step and returns its metrics.
  ///
  /// - Throws: `TrainingError.notFinite`; the state is of no use afterwards.
  public func advance() throws -> Named<Float> {
    let batch = batches.next()
    let shape = recipe.model.sample.shape.sizes
    var arguments = state
    arguments["samples"] = try engine.array(
      batch.samples, shape: [recipe.batch] + shape, TrainingStep.batchSharding)
    arguments["labels"] = try engine.array(
      batch.labels, shape: [recipe.batch], TrainingStep.batchSharding)
    let updates = trainingStep.updates(at: step)
    let function = try functions[updates] ?? Self.compile(trainingStep, updates, engine)
    functions[updates] = function
    let results = try Self.withMemoryTold(of: function) { try function(arguments) }
    state = results.filter { trainingStep.stateTypes[$0] != nil }
    step += 1
    let metrics = try results.group("metrics").mapValues { try $0.array(of: Float.self)[0] }
    let wrong = metrics.pairs.filter { !$0.value.isFinite }.map { "\($0.name) = \($0.value)" }
    guard wrong.isEmpty else {
      throw TrainingError.notFinite(
        losses: wrong, step: step, checkpoint: folder.existingCheckpoint)
    }
    return metrics
  }

  /// Says what a program needs where the device has no room for it.
  private static func withMemoryTold<Result>(
    of function: CompiledFunction, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch PJRTError.failure(.resourceExhausted, let message, _) {
      let executable = function.executable
      let device = try? executable.client.memory(of: executable.devices[0])
      throw TrainingError.outOfMemory(
        needed: executable.memory, device: device?.limit, message: message)
    }
  }

  /// The weights that generation takes: their average if the recipe asks for one, with adapters
  /// added to the weights that they are of.
  public func weights() throws -> Named<ShardedArray> {
    let trained = state.group(recipe.smoothing > 0 ? "smooth" : "weights")
    guard let adapters = recipe.adapters else { return trained }
    let all = state.group("frozen").merging(trained)
    let merged = try engine.compile(all.types, shardings: all.shardings) {
      adapters.merged($0)
    }(all)
    return recipe.model.weights.map { name, _ in merged[name]! }
  }

  /// Writes the checkpoint and the weights, each atomically.
  public func save() throws {
    try Checkpoint.write(
      state, step: step, recipe: recipe, batches: try batches.saved(), to: folder.checkpoint,
      on: engine)
    try ModelFile.write(
      weights(), card: recipe.card, to: folder.weights, stamp: "step-\(step)", on: engine)
  }
}
