import Foundation
import Runtime
import Tensors

extension Trainer {
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
    let all = state.frozen.filter { trainingStep.trainingLoRA[$0] == nil }
      .merging(state.generating)
    return RunWeights(
      step: step, parameters: all.filter { !recipe.model.isTwinHead($0) }, merged: weights)
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
}
