import Files
import Foundation
import Layers
import Models
import Tensors
import Weights

/// One training run: compiles the step once and repeats it on batches.
///
/// The folder of the run holds `checkpoint.safetensors` (the whole state), `weights.safetensors`
/// (what generation takes; with adapters `adapter.safetensors`, which holds them alone) and
/// `log.jsonl` (a line of metrics every so many steps).
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
  /// What steps change.
  private var state: Named<ShardedArray>
  /// What they do not.
  private let frozen: Named<ShardedArray>
  private var batches: any BatchSource
  private let folder: RunFolder
  private let origin: RunOrigin
  private let notice: (String) -> Void

  /// The types of everything that a checkpoint holds.
  package var stateTypes: Named<TensorType> { trainingStep.stateTypes }

  /// How a run starts.
  public enum Start: Sendable {
    /// From the recipe's weights or fresh ones; the folder must hold no run.
    case fresh
    /// From the recipe's weights or fresh ones; a run of the same command in the folder is replaced.
    case replacing
    /// From the folder's checkpoint, which must be of the same recipe; the number of steps may differ.
    case resumed
    /// From the folder's checkpoint where its result is that of this very run: where recipe, start
    /// weights, data and program are the same; otherwise as `replacing`.
    case continued
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
  /// - Parameters:
  ///   - command: who makes the run; another command's is not replaced.
  ///   - notice: told what a user should know of the run, in sentences.
  /// - Throws: `TrainingError`, and the errors of the plugin, the data and the files.
  public init(
    _ recipe: TrainingRecipe, on engine: Engine, start: Start = .fresh,
    by command: String = "train",
    notice: @escaping (String) -> Void = { _ in }
  ) throws {
    self.recipe = recipe
    self.notice = notice
    let engine = try engine.spread(over: recipe.mesh)
    self.engine = engine
    // A run that goes on needs the weights that it started from only where some of them are frozen.
    let needsBase = recipe.lora != nil || start != .resumed
    let base = try needsBase ? recipe.startPath().map { try ModelHeader($0) } : nil
    if let base, base.card.model != recipe.model {
      throw TrainingError.otherModel(
        path: base.path, found: base.card.model, expected: recipe.model)
    }
    let stored = try recipe.lora == nil ? Named() : base?.storedTypes() ?? Named()
    try engine.checkFits(recipe, stored: stored)
    trainingStep = try TrainingStep(recipe, stored: stored)
    batches = try recipe.data.batches(size: recipe.batch, seed: recipe.seed)
    let isFirst = (engine.group?.rank ?? 0) == 0
    folder = try RunFolder(recipe.output, isFirst: isFirst)
    if isFirst, let start = try recipe.startPath() {
      let outputs = [folder.weights, folder.adapter, folder.checkpoint]
      let inputs = try WeightFiles(path: start).paths
      for output in outputs { try checkOutput(output, replacesNoneOf: inputs) }
    }
    var origin = RunOrigin(data: batches.content, command: command)
    var checkpoint: Checkpoint?
    switch start {
    case .fresh: try folder.checkFresh()
    case .replacing: try folder.checkReplaceable(by: command)
    case .resumed:
      let found = try Checkpoint(folder.checkpoint)
      try found.check(recipe, data: origin.data)
      guard found.step <= recipe.steps else {
        throw TrainingError.beyondTheEnd(
          path: folder.checkpoint, step: found.step, steps: recipe.steps)
      }
      checkpoint = found
    case .continued:
      origin.start = try recipe.startPath().map { try WeightFiles.contentHash($0) }
      checkpoint = try Self.same(folder, recipe, origin, notice)
      if checkpoint == nil { try folder.checkReplaceable(by: command) }
    }
    if let checkpoint {
      step = checkpoint.step
      try batches.restore(checkpoint.batches)
      if let base, try WeightFiles.contentHash(base.path) != checkpoint.origin?.start {
        throw TrainingError.otherRun(
          path: folder.checkpoint,
          difference: "its adapters belong to other weights than \(base.path)")
      }
      origin.start = checkpoint.origin?.start
      Self.tellOfRate(checkpoint, recipe, notice)
    } else {
      origin.start = try origin.start ?? recipe.startPath().map { try WeightFiles.contentHash($0) }
    }
    self.origin = origin
    let (step, trainingStep) = (step, trainingStep)
    let updates = trainingStep.updates(at: step)
    let function = try Self.compile(trainingStep, updates, engine)
    self.function = function
    (state, frozen) = try Self.withMemoryTold(of: function) {
      guard let checkpoint else { return try Self.initialState(trainingStep, base, engine) }
      let adapted = recipe.lora == nil ? nil : base
      let frozen = try adapted?.weights(on: engine) { recipe.trains($0) ? .float32 : nil }
      let state = try checkpoint.state(
        trainingStep.changedTypes, shardings: trainingStep.shardings, on: engine)
      return (state, Self.frozen(frozen ?? Named(), recipe))
    }
    functions[updates] = function
  }

  /// The folder's checkpoint, where it is one of the very same run.
  private static func same(
    _ folder: RunFolder, _ recipe: TrainingRecipe, _ origin: RunOrigin, _ notice: (String) -> Void
  ) throws -> Checkpoint? {
    guard folder.existingCheckpoint != nil else { return nil }
    let found = try Checkpoint(folder.checkpoint)
    guard let difference = try found.difference(from: recipe, origin) else { return found }
    notice("\(folder.checkpoint) is of another run (\(difference)): this one is trained anew.")
    return nil
  }

  /// Tells how the learning rate changes where a run goes on with another number of steps.
  private static func tellOfRate(
    _ checkpoint: Checkpoint, _ recipe: TrainingRecipe, _ notice: (String) -> Void
  ) {
    let (old, new) = (checkpoint.recipe.steps, recipe.steps)
    guard old != new else { return }
    let schedule = recipe.optimizer.schedule
    let rates = [old, new].map { schedule.rate(at: checkpoint.step, of: $0) }
    guard abs(rates[0] - rates[1]) > 1e-9 * schedule.peak else { return }
    notice(
      String(
        format:
          "The run now has %d steps instead of %d, over which the learning rate falls: at step "
          + "%d it is %.3g instead of %.3g.", new, old, checkpoint.step, rates[1], rates[0]))
  }

  private static func compile(
    _ step: TrainingStep, _ updates: TrainingStep.Updates, _ engine: Engine
  ) throws -> CompiledFunction {
    let function = try step.compiled(
      updating: updates, on: engine.client, cache: engine.cache, mesh: engine.mesh)
    try engine.checkFits(function)
    return function
  }

  private static func initialState(
    _ step: TrainingStep, _ base: ModelHeader?, _ engine: Engine
  ) throws -> (state: Named<ShardedArray>, frozen: Named<ShardedArray>) {
    let (recipe, key) = (step.recipe, Key(seed: step.recipe.seed))
    guard let base else {
      let state = try engine.compile(Named(), shardings: step.shardings) { _ in
        step.initialState(step.weights.initialized(key))
      }(Named())
      return (state, Named())
    }
    // What is frozen does not pass through a program: it stays where it was read.
    let given = try base.weights(on: engine) { recipe.trains($0) ? .float32 : nil }
    let trained = given.filter(recipe.trains)
    let shardings = trained.shardings.merging(step.shardings)
    let state = try engine.compile(trained.types, shardings: shardings) { trained in
      let adapters = step.weights.filter { recipe.trains($0) && trained[$0] == nil }
      return step.initialState(trained.merging(adapters.initialized(key)))
    }(trained)
    return (state, frozen(given, recipe))
  }

  /// Of a network's weights those that no step changes, under their names in the state.
  private static func frozen(
    _ weights: Named<ShardedArray>, _ recipe: TrainingRecipe
  ) -> Named<ShardedArray> {
    weights.filter { !recipe.trains($0) }.prefixed(TrainingStep.frozen)
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
    defer { folder.release() }
    let log = isFirst ? try folder.openLog(after: step, notice: notice) : nil
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
      if step % recipe.logEvery == 0 || step == recipe.steps { log?.write(step, metrics) }
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
    let period = min(recipe.steps, trainingStep.period)
    let all = Set((0..<period).lazy.map(trainingStep.updates))
    return try all.compactMap { updates in
      let function = try functions[updates] ?? Self.compile(trainingStep, updates, engine)
      return function.executable.memory?.total
    }.max()
  }

  /// Makes one step and returns its metrics.
  ///
  /// - Throws: `TrainingError.notFinite`, the state is of no use afterwards; `unknownLabel`.
  public func advance() throws -> Named<Float> {
    let batch = batches.next()
    let (sample, classes) = recipe.model.sample
    let shape = sample.sizes
    // A network without classes looks at no label.
    if classes > 0, let wrong = batch.labels.first(where: { $0 < 0 || $0 >= classes }) {
      throw TrainingError.unknownLabel(
        Int(wrong), classes: classes, source: recipe.data.kind.rawValue)
    }
    var arguments = state.merging(frozen)
    arguments["samples"] = try engine.array(
      batch.samples, shape: [recipe.batch] + shape, TrainingStep.batchSharding)
    arguments["labels"] = try engine.array(
      batch.labels, shape: [recipe.batch], TrainingStep.batchSharding)
    let updates = trainingStep.updates(at: step)
    let function = try functions[updates] ?? Self.compile(trainingStep, updates, engine)
    functions[updates] = function
    let results = try Self.withMemoryTold(of: function) { try function(arguments) }
    state = results.filter { trainingStep.changedTypes[$0] != nil }
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
    let trained = state.group(recipe.emaDecay > 0 ? "ema" : "weights")
    guard let adapters = recipe.lora else { return trained }
    let all = frozen.group(TrainingStep.frozen).merging(trained)
    let merged = try engine.compile(all.types, shardings: all.shardings) {
      adapters.merged($0.mapValues { $0.cast(to: .float32) })
    }(all)
    return recipe.model.weights.map { name, _ in merged[name]! }
  }

  /// Lets other runs use the folder, which is locked until then or until `run` has ended.
  public func close() { folder.release() }

  /// Writes the checkpoint and the weights, each atomically.
  public func save() throws {
    try Checkpoint.write(
      state, step: step, recipe: recipe, origin: origin, batches: try batches.saved(),
      to: folder.checkpoint, on: engine)
    var card = recipe.card
    guard let adapters = recipe.lora, let base = recipe.start, let content = origin.start
    else {
      return try ModelFile.write(
        weights(), card: card, to: folder.weights, stamp: "step-\(step)", on: engine)
    }
    card.adapter = AdapterCard(adapters: adapters, base: base, content: content)
    try ModelFile.write(
      state.group(recipe.emaDecay > 0 ? "ema" : "weights"), card: card, to: folder.adapter,
      stamp: "step-\(step)", on: engine)
  }
}
