import Datasets
import Files
import Foundation
import Layers
import Models
import Pipelines
import Processes
import Runtime
import Tensors
import Weights

/// One training run: compiles the step once and repeats it on batches.
///
/// The folder of the run holds `checkpoints/step-000500` and so on (the whole state in
/// `state.safetensors`, and the weights for generation), the newest `weights.safetensors`
/// (the weights for generation; with LoRA `adapter.safetensors`, which holds only the low-rank
/// matrices; for published networks the folder `transformer`) and `log.jsonl` (a line of metrics every
/// `log_every` steps).
public final class Trainer {
  /// The recipe of the run.
  public let recipe: TrainingRecipe
  /// The program of the first step, with the time that it took to compile.
  public let function: CompiledFunction
  /// The number of steps done.
  public internal(set) var step = 0

  let engine: Engine
  let trainingStep: TrainingStep
  /// The programs: most runs have one.
  var functions: [TrainingStep.Program: CompiledFunction] = [:]
  var state: TrainState<ShardedArray>
  let batches: Prefetcher
  /// The position in the data after the last step.
  var position: String
  /// The last step, whose metrics have not been read.
  var running: RunningStep?
  /// What observes the run, in its first process; set before `run`.
  public var observers: [any RunObserver] = []
  /// The time that the devices have waited for steps.
  var waiting = DeviceWaiting()
  let folder: RunFolder
  let origin: RunOrigin
  /// Whether the checkpoints in the folder are of another run, which the first one of this run replaces.
  var replacesCheckpoints: Bool
  /// The step of the newest checkpoint of this run, nil without one.
  var savedStep: Int?
  /// The means of the metrics since that checkpoint.
  var means = MetricMeans()
  let notice: (String) -> Void
  /// Whether data and steps are prepared while a step runs; off only to measure the gain.
  let overlaps: Bool

  /// The share of the time between the first step's end and the last's in which the devices waited for
  /// the host; nil before the second step.
  package var waitingShare: Double? { waiting.share }

  /// The types of everything that a checkpoint holds.
  package var stateTypes: Named<TensorType> { trainingStep.specs.flattened().types }

  /// The parameters of the network that generates: all, and those that are trained.
  public var parameterCounts: (all: Int, trained: Int) {
    let count = { (name: String) in self.trainingStep.weights[name]!.shape.count }
    let names = trainingStep.weights.names
    return (
      names.reduce(0) { $0 + count($1) },
      names.filter(recipe.trains).reduce(0) { $0 + count($1) }
    )
  }

  /// The start of a run.
  public enum Start: Sendable {
    /// From the recipe's weights or fresh ones; the folder must hold no run.
    case fresh
    /// From the recipe's weights or fresh ones; a run of the same command in the folder is replaced.
    case replacing
    /// From the folder's newest checkpoint that is whole, which must be of the same recipe; the number of
    /// steps may differ.
    case resumed
    /// From the folder's checkpoint where the run would end with the same result: where recipe, start
    /// weights, data and program are equal; otherwise as `replacing`.
    case continued
  }

  /// The progress of a run.
  public struct Progress: Sendable {
    /// The steps done, including those of earlier runs.
    public let step: Int
    /// The steps of the whole run.
    public let total: Int
    /// The loss of the step.
    public let loss: Float
    /// The recent steps per second.
    public let rate: Double
    /// The remaining seconds at that rate.
    public var remaining: Double { Double(total - step) / rate }
  }

  /// Prepares a run: loads or makes the state and compiles the step.
  ///
  /// - Parameters:
  ///   - command: the command that makes the run; the run of another command is not replaced.
  ///   - notice: called with messages for the user, in sentences.
  ///   - stopping: called while data are encoded and before weights are loaded; true ends with
  ///     `TrainingError.stopped`.
  /// - Throws: `TrainingError`, and the errors of the plugin, the data and the files.
  public convenience init(
    _ recipe: TrainingRecipe, on engine: Engine, start: Start = .fresh,
    by command: String = "train", notice: @escaping (String) -> Void = { _ in },
    stopping: @escaping () -> Bool = { false }
  ) throws {
    try self.init(
      recipe, on: engine, start: start, by: command, overlapping: true, notice: notice,
      stopping: stopping)
  }

  /// Prepares a run, see above.
  ///
  /// - Parameter overlaps: whether data and steps are prepared while a step runs.
  package init(
    _ given: TrainingRecipe, on engine: Engine, start: Start, by command: String,
    overlapping overlaps: Bool, notice: @escaping (String) -> Void,
    stopping: @escaping () -> Bool = { false }
  ) throws {
    let goOn = { (work: String) in
      if stopping() { throw TrainingError.stopped(before: work) }
    }
    self.overlaps = overlaps
    self.notice = notice
    let engine = try engine.spread(over: given.mesh)
    self.engine = engine
    // A run that goes on needs the weights that it started from only beside LoRA.
    let needsBase = given.lora != nil || start != .resumed
    let isFirst = (engine.group?.rank ?? 0) == 0
    var (recipe, base) = try given.resolved(isPlan: !needsBase) {
      if isFirst, start != .resumed { notice($0) }
    }
    if base == nil, start == .resumed { recipe = try recipe.resized(like: given.output) }
    self.recipe = recipe
    let stored = try recipe.frozenTypes(base)
    try engine.checkFits(recipe, stored: stored)
    let data = try RunData(recipe, on: engine) { if isFirst { notice($0) } }
    let trainingLoRA = try TrainingLoRA(recipe)
    if isFirst, let trainingLoRA, let path = recipe.trainingLoRA {
      notice(trainingLoRA.notice(path))
    }
    trainingStep = try TrainingStep(
      recipe, stored: stored, trainingLoRA: trainingLoRA?.specs ?? Named(), inputs: data.inputs)
    folder = try RunFolder(recipe.output, isFirst: isFirst)
    if isFirst, let start = try recipe.startPath(), WeightFiles.exist(at: start) {
      try folder.checkKeeps(WeightFiles(path: start).paths)
    }
    var origin = RunOrigin(
      data: data.content, trainingLoRA: try trainingLoRA?.hash(), command: command)
    var checkpoint: Checkpoint?
    switch start {
    case .fresh: try folder.checkFresh()
    case .replacing: try folder.checkReplaceable(by: command)
    case .resumed:
      let found = try folder.checkpoints.newest(of: engine.group, notice: notice)
      try found.check(recipe, data: origin.data)
      guard found.step <= recipe.steps else {
        throw TrainingError.beyondTheEnd(
          path: found.place.path, step: found.step, steps: recipe.steps)
      }
      checkpoint = found
    case .continued:
      origin.start = try recipe.startHash()
      checkpoint = try Self.same(folder, recipe, origin, engine.group, notice)
      if checkpoint == nil { try folder.checkReplaceable(by: command) }
    }
    if let checkpoint {
      step = checkpoint.step
      if recipe.lora != nil, let base, try recipe.startHash() != checkpoint.origin?.start {
        throw TrainingError.otherRun(
          path: checkpoint.place.path,
          difference: "its LoRA was trained with other weights than \(base.path)")
      }
      if let own = checkpoint.origin, own.trainingLoRA != origin.trainingLoRA {
        throw TrainingError.otherRun(
          path: checkpoint.place.path, difference: "its training_lora was another file")
      }
      origin.start = checkpoint.origin?.start
      Self.reportLearningRate(checkpoint, recipe, notice)
    } else {
      origin.start = try origin.start ?? recipe.startHash()
    }
    self.origin = origin
    replacesCheckpoints = checkpoint == nil
    savedStep = checkpoint.flatMap { $0.place.isOld ? nil : $0.step }
    let prepared = try data.prepared(in: folder.path, checking: goOn)
    var batches = prepared.batches
    try goOn("the first step")
    if recipe.sampleEvery > 0 {
      observers = try Self.grids(recipe, prepared, engine) { if isFirst { notice($0) } }
    }
    if let checkpoint { try batches.restore(checkpoint.batches) }
    position = try batches.saved()
    let (step, trainingStep) = (step, trainingStep)
    let program = TrainingStep.Program(
      updates: trainingStep.updates(at: step), signature: trainingStep.batchTypes)
    let function = try Self.compile(trainingStep, program, engine)
    self.function = function
    if trainingStep.period == 1 {
      // Where steps differ, the metrics of all of them are known at the first checkpoint.
      try recipe.checkKeepBest(among: Set(function.program.results.group("metrics").names))
    }
    state = try RuntimeError.reportingMemory(of: function) {
      let added = try trainingLoRA?.load(on: engine) ?? Named()
      guard let checkpoint else { return try Self.initialState(trainingStep, base, added, engine) }
      let adapted = recipe.lora == nil ? nil : base
      let saved = try checkpoint.state(trainingStep.saved, on: engine)
      let frozen = try adapted?.weights(
        of: recipe.model, on: engine, as: { trainingStep.storage[$0] }
      ).filter { !recipe.trains($0) }
      return TrainState(
        saved, like: trainingStep.specs,
        frozen: (frozen ?? saved.group("frozen")).merging(added))
    }
    functions[program] = function
    let (conditioner, source) = (data.inputs.conditioner, recipe.data.kind)
    let names = trainingStep.batchTypes.names
    self.batches = Prefetcher(
      batches, batch: recipe.batch, sharding: TrainingStep.batchSharding,
      ahead: overlaps ? 2 : 0, on: engine
    ) { arrays in
      try conditioner.check(arrays.filter(names.contains), source: source)
    }
  }

  /// The checkpoint in the folder, nil where it is that of another run.
  private static func same(
    _ folder: RunFolder, _ recipe: TrainingRecipe, _ origin: RunOrigin, _ group: ProcessGroup?,
    _ notice: (String) -> Void
  ) throws -> Checkpoint? {
    guard folder.existingCheckpoint != nil else { return nil }
    let found = try folder.checkpoints.newest(of: group, notice: notice)
    guard let difference = try found.difference(from: recipe, origin) else { return found }
    notice("\(found.place.path) is of another run (\(difference)): this run starts from step 0.")
    return nil
  }

  /// Reports the change of the learning rate where a run is resumed with another number of steps.
  private static func reportLearningRate(
    _ checkpoint: Checkpoint, _ recipe: TrainingRecipe, _ notice: (String) -> Void
  ) {
    let (old, new) = (checkpoint.recipe.steps, recipe.steps)
    guard old != new else { return }
    let schedule = recipe.optimizer.schedule
    let rates = [old, new].map { schedule.learningRate(at: checkpoint.step, of: $0) }
    guard abs(rates[0] - rates[1]) > 1e-9 * schedule.peak else { return }
    notice(
      String(
        format:
          "The run now has %d steps instead of %d, over which the learning rate falls: at step "
          + "%d it is %.3g instead of %.3g.", new, old, checkpoint.step, rates[1], rates[0]))
  }

  /// The observer that draws sample grids, in a run of one process.
  private static func grids(
    _ recipe: TrainingRecipe, _ data: RunData.Prepared, _ engine: Engine,
    _ notice: @escaping (String) -> Void
  ) throws -> [any RunObserver] {
    guard engine.group == nil else {
      notice("Sample grids are drawn only in runs of one process: this one goes without.")
      return []
    }
    return [SampleGrids(recipe, try data.grid(), on: engine, notice: notice)]
  }

  static func compile(
    _ step: TrainingStep, _ program: TrainingStep.Program, _ engine: Engine
  ) throws -> CompiledFunction {
    let function = try step.compiled(
      program, on: engine.client, cache: engine.cache, mesh: engine.mesh)
    try engine.checkFits(function)
    return function
  }

  /// The state at the start.
  ///
  /// - Parameter added: frozen tensors that are bound beside the network's.
  private static func initialState(
    _ step: TrainingStep, _ base: StartWeights?, _ added: Named<ShardedArray>, _ engine: Engine
  ) throws -> TrainState<ShardedArray> {
    let (recipe, key) = (step.recipe, Key(seed: step.recipe.seed))
    // Frozen weights do not pass through a program; they stay in the buffers they were read into.
    let given = try base?.weights(of: recipe.model, on: engine, as: { step.storage[$0] }) ?? Named()
    let trained = given.filter(recipe.trains)
    let specs = step.specs.flattened()
    let shardings = specs.shardings.merging(trained.shardings)
    let state = try engine.compile(trained.types, shardings: shardings) { trained in
      let fresh = step.weights.filter { recipe.trains($0) && trained[$0] == nil }
      let all = trained.merging(fresh.initialized(key))
      return step.initialState(step.specs.live.trained.map { name, _ in all[name]! }).flattened()
    }(trained)
    var frozen = given.filter { !recipe.trains($0) }
    let missing = step.weights.filter { !recipe.trains($0) && frozen[$0] == nil }
    if !missing.isEmpty {
      frozen.merge(
        try engine.compile(Named(), shardings: missing.shardings) { _ in
          missing.initialized(key)
        }(Named()))
    }
    return TrainState(
      state, like: step.specs,
      frozen: step.specs.frozen.map { name, _ in
        frozen[name] ?? added[name]!
      })
  }

  /// Unlocks the folder for other runs; it stays locked until then or until `run` has ended.
  public func close() { folder.release() }
}
