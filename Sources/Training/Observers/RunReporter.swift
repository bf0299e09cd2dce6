import Tensors

/// Tells the log and the observers of a run what happens.
final class RunReporter {
  private let recipe: TrainingRecipe
  private let log: MetricsLog?
  private let observers: [any RunObserver]
  private let progress: (Trainer.Progress) -> Void
  private let notice: (String) -> Void
  private var meter: RunMeter
  /// The newest metrics since the last line of the log: not every step updates every network.
  private var recent = Named<Float>()

  /// - Parameters:
  ///   - facts: those with the FLOPs of a step and the peak, nil where they are not measured.
  ///   - progress: called after every step.
  ///   - notice: called with sentences for the user.
  init(
    _ recipe: TrainingRecipe, log: MetricsLog?, observers: [any RunObserver], facts: RunFacts?,
    progress: @escaping (Trainer.Progress) -> Void, notice: @escaping (String) -> Void
  ) {
    (self.recipe, self.log, self.observers) = (recipe, log, observers)
    (self.progress, self.notice) = (progress, notice)
    meter = RunMeter(batch: recipe.batch, facts: facts)
  }

  /// Tells that the run starts.
  ///
  /// - Throws: what the observers throw.
  func begin(_ start: RunStart) throws {
    for observer in observers { try observer.begin(start) }
    meter.restart()
  }

  /// Tells of a step.
  func tell(_ step: ReadStep) {
    let speed = meter.add(wait: step.wait)
    let report = StepReport(
      step: step.step, total: recipe.steps, metrics: step.metrics, speed: speed)
    progress(
      Trainer.Progress(
        step: report.step, total: report.total, loss: report.loss, rate: speed.stepsPerSecond))
    recent = step.metrics.merging(recent.filter { step.metrics[$0] == nil })
    if step.step % recipe.logEvery == 0 || step.step == recipe.steps {
      log?.write(step.step, recent.merging(speed.named))
      recent = Named()
    }
    for observer in observers { observer.observe(report) }
  }

  /// Whether an observer looks at the weights after a step.
  func looks(after step: Int) -> Bool {
    observers.contains { $0.looksAtWeights(after: step) }
  }

  /// Lets observers look at the weights. Where one cannot, the user is told and the run goes on.
  ///
  /// - Returns: the figures that they found.
  func look(at weights: RunWeights) -> Named<Float> {
    var figures = Named<Float>()
    for observer in observers where observer.looksAtWeights(after: weights.step) {
      let findings: [Finding]
      do {
        findings = try observer.look(at: weights)
      } catch {
        notice("After step \(weights.step): \(error) The run goes on.")
        continue
      }
      for finding in findings {
        if case .metrics(let metrics) = finding {
          log?.write(weights.step, metrics)
          figures.merge(metrics)
        }
        for observer in observers { observer.observe(finding, after: weights.step) }
      }
    }
    meter.restart()
    return figures
  }

  /// Tells that a checkpoint was written.
  func saved(after step: Int) {
    for observer in observers { observer.saved(after: step) }
    meter.restart()
  }

  /// Tells how the run ended.
  func end(_ end: RunEnd) {
    for observer in observers { observer.end(end) }
  }
}
