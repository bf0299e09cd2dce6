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
  public private(set) var step = 0

  private let engine: Engine
  private let trainingStep: TrainingStep
  /// The programs: most runs have one.
  private var functions: [TrainingStep.Program: CompiledFunction] = [:]
  private var state: TrainState<ShardedArray>
  private let batches: Prefetcher
  /// The position in the data after the last step.
  private var position: String
  /// The last step, whose metrics have not been read.
  private var running: RunningStep?
  /// What observes the run, in its first process; set before `run`.
  public var observers: [any RunObserver] = []
  /// The time that the devices have waited for steps.
  private var waiting = DeviceWaiting()
  private let folder: RunFolder
  private let origin: RunOrigin
  /// Whether the checkpoints in the folder are of another run, which the first one of this run replaces.
  private var replacesCheckpoints: Bool
  /// The step of the newest checkpoint of this run, nil without one.
  private var savedStep: Int?
  /// The means of the metrics since that checkpoint.
  private var means = MetricMeans()
  private let notice: (String) -> Void
  /// Whether data and steps are prepared while a step runs; off only to measure the gain.
  private let overlaps: Bool

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
    if recipe.sampleEvery > 0 {
      try goOn("the prompts of sample grids")
      observers = try Self.grids(recipe, data, engine) { if isFirst { notice($0) } }
    }
    var batches = try data.batches(in: folder.path, checking: goOn)
    try goOn("the first step")
    if let checkpoint { try batches.restore(checkpoint.batches) }
    position = try batches.saved()
    let (step, trainingStep) = (step, trainingStep)
    let program = TrainingStep.Program(
      updates: trainingStep.updates(at: step), signature: trainingStep.batchTypes)
    let function = try Self.compile(trainingStep, program, engine)
    self.function = function
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
    _ recipe: TrainingRecipe, _ data: RunData, _ engine: Engine,
    _ notice: @escaping (String) -> Void
  ) throws -> [any RunObserver] {
    guard engine.group == nil else {
      notice("Sample grids are drawn only in runs of one process: this one goes without.")
      return []
    }
    return [SampleGrids(recipe, try data.grid(), on: engine, notice: notice)]
  }

  private static func compile(
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

  /// Trains until the last step or a request to stop, and saves.
  ///
  /// - Parameters:
  ///   - progress: called after every step.
  ///   - stopping: called after every step; true saves and stops.
  /// - Returns: whether the last step was reached.
  /// - Throws: `TrainingError.notFinite` when a loss is not finite; saved files stay as they are.
  @discardableResult
  public func run(
    progress: @escaping (Progress) -> Void = { _ in }, stopping: () -> Bool = { false }
  ) throws -> Bool {
    defer { folder.release() }
    let isFirst = (engine.group?.rank ?? 0) == 0
    let log = isFirst ? try folder.openLog(after: step, notice: notice) : nil
    let facts =
      observers.isEmpty
      ? nil : try RunFacts(recipe, trainingStep.weights, function, on: engine)
    let reporter = RunReporter(
      recipe, log: log, observers: observers, facts: facts, progress: progress, notice: notice)
    if let facts {
      try reporter.begin(
        RunStart(recipe: recipe, command: origin.command, step: step, facts: facts))
    }
    do {
      let isFinished = try run(reporter, stopping)
      reporter.end(isFinished ? .finished : .stopped(after: step))
      return isFinished
    } catch {
      reporter.end(.failed("\(error)"))
      throw error
    }
  }

  private func run(_ reporter: RunReporter, _ stopping: () -> Bool) throws -> Bool {
    guard step < recipe.steps else {
      try save()
      return true
    }
    if reporter.looks(after: step) { look(reporter) }
    while step < recipe.steps {
      // The metrics of a step are read when the next one is under way.
      if let read = try start() { tell(read, reporter) }
      if !overlaps, let read = try finish() { tell(read, reporter) }
      let stops = try isTimeToStop(requested: stopping())
      let saves = stops || step % recipe.checkpointEvery == 0 || step == recipe.steps
      let looks = reporter.looks(after: step)
      guard saves || looks else { continue }
      if let read = try finish() { tell(read, reporter) }
      // A run that is told to stop saves at once; otherwise an evaluation is part of the checkpoint.
      let looksFirst = looks && !stops
      if looksFirst { look(reporter) }
      if saves {
        try save()
        reporter.saved(after: step)
      }
      if looks, !looksFirst, step == recipe.steps { look(reporter) }
      if stops { return step == recipe.steps }
    }
    return true
  }

  private func tell(_ read: ReadStep, _ reporter: RunReporter) {
    means.add(read.metrics)
    reporter.tell(read)
  }

  private func look(_ reporter: RunReporter) {
    for (name, value) in reporter.look(at: presentWeights).pairs { record(name, Double(value)) }
  }

  /// The weights after the last step, which observers may look at until the next one.
  private var presentWeights: RunWeights {
    let frozen = state.frozen.filter { trainingStep.trainingLoRA[$0] == nil }
    return RunWeights(
      step: step, parameters: frozen.merging(state.generating), merged: weights)
  }

  /// Whether to save and stop: where there are several processes, all at the same step.
  private func isTimeToStop(requested: Bool) throws -> Bool {
    guard let group = engine.group else { return requested }
    if requested { try group.requestStop() }
    return try group.stop(after: step).map { step >= $0 } ?? false
  }

  /// The most memory that a step needs on each device, in bytes, by the compiler's plan; nil where
  /// the plugin does not report it.
  package func memory() throws -> Int? {
    let period = min(recipe.steps, trainingStep.period)
    let all = Set((0..<period).lazy.map(trainingStep.updates))
    return try all.compactMap { updates in
      let program = TrainingStep.Program(
        updates: updates, signature: trainingStep.batchTypes)
      let function = try functions[program] ?? Self.compile(trainingStep, program, engine)
      return function.executable.memory?.total
    }.max()
  }

  /// Makes one step, waits for it and returns its metrics.
  ///
  /// - Throws: `TrainingError.notFinite`, after which the state cannot be used, and the data's errors.
  public func advance() throws -> Named<Float> {
    _ = try start()
    return try finish()!.metrics
  }

  /// Starts the next step.
  ///
  /// - Returns: the step before, nil where its metrics have been read.
  private func start() throws -> ReadStep? {
    let asked = ContinuousClock.now
    let batch = try batches.next()
    // While the step before runs, the devices do not wait.
    let free = max(asked, running.map { $0.completion.end ?? .now } ?? asked)
    let wait = max(.zero, ContinuousClock.now - free)
    let arrays = batch.arrays.filter { trainingStep.batchTypes[$0] != nil }
    let program = TrainingStep.Program(
      updates: trainingStep.updates(at: step), signature: arrays.types)
    let function = try functions[program] ?? Self.compile(trainingStep, program, engine)
    functions[program] = function
    let started = ContinuousClock.now
    let (results, completion) = try RuntimeError.reportingMemory(of: function) {
      try function.start(state.flattened().merging(arrays.prefixed("batch")))
    }
    state = TrainState(results, like: trainingStep.specs, frozen: state.frozen)
    position = batch.position
    step += 1
    let before = running
    running = RunningStep(
      step: step, metrics: results.group("metrics"), function: function, started: started,
      wait: wait, completion: completion)
    return try before.map(read)
  }

  /// Waits for the last step.
  ///
  /// - Returns: the step, nil where its metrics have been read.
  private func finish() throws -> ReadStep? {
    guard let last = running else { return nil }
    running = nil
    return try read(last)
  }

  private func read(_ running: RunningStep) throws -> ReadStep {
    try RuntimeError.reportingMemory(of: running.function) { try running.completion.wait() }
    waiting.add(started: running.started, ended: running.completion.end ?? .now)
    let metrics = try running.metrics.mapValues { try $0.array(of: Float.self)[0] }
    let wrong = metrics.pairs.filter { !$0.value.isFinite }.map { "\($0.name) = \($0.value)" }
    guard wrong.isEmpty else {
      throw TrainingError.notFinite(
        losses: wrong, step: running.step, checkpoint: folder.existingCheckpoint)
    }
    return ReadStep(step: running.step, metrics: metrics, wait: running.wait)
  }

  /// The weights for generation: their average if the recipe sets a decay, with LoRA merged.
  public func weights() throws -> Named<ShardedArray> {
    let trained = state.generating
    guard let lora = recipe.lora else {
      return recipe.model.weights.map { name, _ in trained[name] ?? state.frozen[name]! }
    }
    let all = state.frozen.filter { trainingStep.trainingLoRA[$0] == nil }.merging(trained)
    let merged = try engine.compile(all.types, shardings: all.shardings) {
      lora.merged($0.dequantized().mapValues { $0.cast(to: .float32) })
    }(all)
    return recipe.model.weights.map { name, _ in merged[name]! }
  }

  /// Unlocks the folder for other runs; it stays locked until then or until `run` has ended.
  public func close() { folder.release() }

  /// Records a metric that is not one of the steps, such as that of an evaluation, by which checkpoints
  /// may be kept (`keep_best`).
  package func record(_ name: String, _ value: Double) { means.set(name, to: value) }

  /// Writes a checkpoint of this step, unless it is there, and the newest weights, each atomically;
  /// checkpoints that the recipe does not keep are deleted.
  ///
  /// - Throws: `TrainingError.notSaved` where a file cannot be written, as on a full disk: earlier
  ///   checkpoints stay. `RecipeError` where the metric of `keep_best` is not one of the run's.
  public func save() throws {
    do {
      try saveAll()
    } catch let error as FileError {
      throw TrainingError.notSaved(
        step: step, reason: error.description, checkpoint: folder.existingCheckpoint)
    }
  }

  private func saveAll() throws {
    let isFirst = (engine.group?.rank ?? 0) == 0
    let trained = recipe.lora == nil ? try weights() : state.generating
    if savedStep != step {
      let metrics = means.values(ofAtLeast: (recipe.checkpointEvery + 1) / 2)
      try folder.checkpoints.write(
        step: step, metrics: metrics, replacingAll: replacesCheckpoints, by: engine.group
      ) { folder in
        try Checkpoint.write(
          checkpointed, step: step, recipe: recipe, origin: origin,
          batches: position, to: CheckpointPlace(path: folder, step: step, isOld: false).state,
          on: engine)
        try write(trained, to: ResultFiles(folder: folder))
      }
      (savedStep, replacesCheckpoints) = (step, false)
      let known = means.names
      means = MetricMeans()
      if isFirst { try folder.checkpoints.prune(recipe.retention, at: step) }
      if let best = recipe.keepBest, !known.isEmpty,
        !known.union(recipe.evaluationMetrics).contains(best)
      {
        throw recipe.invalid(
          \.keepBest, "the run has no such metric: \(known.sorted().joined(separator: ", "))")
      }
    }
    try write(trained, to: folder.results)
  }

  /// What checkpoints hold of the state.
  private var checkpointed: Named<ShardedArray> {
    let all = state.flattened()
    return trainingStep.saved.map { name, _ in all[name]! }
  }

  /// Writes the weights for generation.
  private func write(_ trained: Named<ShardedArray>, to files: ResultFiles) throws {
    let stamp = "step-\(step)"
    var card = recipe.card
    if let lora = recipe.lora, let base = recipe.start, let content = origin.start {
      card.lora = LoRACard(
        lora: lora, base: base, content: content,
        baseDType: recipe.baseDType == .stored ? nil : recipe.baseDType)
      let embedder = trained.filter(recipe.model.isTargetEmbedder)
      if !embedder.isEmpty {
        try ModelFile.write(
          embedder, card: recipe.card, to: files.targetEmbedder, stamp: stamp, on: engine)
      }
      return try ModelFile.write(
        trained.filter { embedder[$0] == nil }, card: card, to: files.adapter,
        stamp: stamp, sampling: recipe.sampling.text(), on: engine)
    }
    guard recipe.model.isPublished else {
      return try ModelFile.write(trained, card: card, to: files.weights, stamp: stamp, on: engine)
    }
    try TransformerFolder(files.transformer).write(
      trained, card: card, as: recipe.precision.dtype, stamp: stamp, on: engine)
    if (engine.group?.rank ?? 0) == 0 { try recipe.writeModelIndex(in: files.folder) }
  }
}
