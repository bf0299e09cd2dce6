import Datasets
import Files
import Foundation
import Tensors
import Evaluation
import Pipelines
import Recipe
import Runtime
import Training
import Weights

/// Trains and measures the methods of a comparison.
public struct Comparison {
  /// The recipe.
  public let recipe: ComparisonRecipe
  private let engine: Engine
  private let metric: any Metric
  private let base: TrainingRecipe?
  /// The network that the shared recipe starts from, where the comparison trains no base model.
  private let start: ComparedNetwork?

  /// The progress of a comparison.
  public enum Event {
    /// A training step of a method was made.
    case training(String, Trainer.Progress)
    /// The measurement of a method's samples has started.
    case measuring(String)
    /// A message for the user.
    case notice(String)
  }

  /// Checks every method's recipe before anything is trained.
  ///
  /// - Parameter classifier: the classifier's weights, for pictures.
  /// - Throws: the errors of recipes, files and the plugin, `ComparisonError`.
  public init(_ recipe: ComparisonRecipe, classifier: String, on engine: Engine) throws {
    self.recipe = recipe
    self.engine = engine
    base = try recipe.baseRecipe()
    let all =
      try [base].compactMap { $0.map { ("base", $0) } }
      + recipe.methods.flatMap { method in
        let variants =
          try recipe.trials(method)
          + (recipe.seeds ?? []).map { ComparisonRecipe.Variant(seed: $0) }
        return try (variants.isEmpty ? [ComparisonRecipe.Variant()] : variants).flatMap {
          try recipe.stages(method, as: $0).map { (method.name, $0) }
        }
      }
    start =
      try base == nil
      ? ComparedNetwork(ComparisonRecipe.baseName, startOf: recipe.sharedRecipe()) : nil
    metric = try recipe.metric(for: all[0].1, classifier: classifier, on: engine)
    for (name, training) in all { try metric.check(training, "the method \(name)") }
    try Self.checkOutputs(recipe.output)
  }

  /// Runs the comparison, and writes its report after every method. Results of an earlier run are reused
  /// where all that they depend on is unchanged: recipe, initial weights, data, metric and program version.
  ///
  /// - Parameters:
  ///   - events: called with the progress.
  ///   - stopping: called after every training step and before every batch of measured samples; returns
  ///     whether to save and stop.
  /// - Returns: the report, nil if the run was stopped.
  public func run(
    events: @escaping (Event) -> Void = { _ in }, stopping: @escaping () -> Bool = { false }
  ) throws -> ComparisonReport? {
    var report = ComparisonReport(
      title: recipe.title, names: metric.names, real: metric.real, samples: recipe.samples,
      evaluations: recipe.evaluations, steps: recipe.steps)
    report.missing = recipe.methods.map(\.name)
    if let base {
      guard let row = try row(ComparisonRecipe.baseName, [base], events, stopping) else {
        return nil
      }
      report.rows.append(row)
    } else if let start {
      guard let row = try row(of: start, events, stopping) else { return nil }
      report.rows.append(row)
    }
    try report.write(to: recipe.output)
    for method in recipe.methods {
      var best: (rate: Double, scores: ComparisonReport.Scores)?
      for variant in try recipe.trials(method) {
        let name = "\(method.name) at \(variant.learningRate!)"
        guard
          let row = try row(
            name, recipe.stages(method, as: variant), events, stopping, isTrial: true)
        else { return nil }
        guard let scores = row.scores[0] else { continue }
        if best.map({ scores.isBetter(than: $0.scores, by: metric.criterion) }) ?? true {
          best = (variant.learningRate!, scores)
        }
      }
      if best == nil, try !recipe.trials(method).isEmpty {
        throw ComparisonError.noLearningRate(method: method.name)
      }
      if let best { events(.notice("\(method.name): the learning rate is \(best.rate).")) }
      var rows: [ComparisonReport.Row] = []
      for seed in recipe.seeds.map({ $0.map(Optional.some) }) ?? [nil] {
        let variant = ComparisonRecipe.Variant(seed: seed, learningRate: best?.rate)
        let name = method.name + (seed.map { ", seed \($0)" } ?? "")
        guard
          let row = try row(name, recipe.stages(method, as: variant), events, stopping)
        else { return nil }
        rows.append(row)
      }
      report.rows.append(ComparisonReport.Row(method.name, rows))
      report.missing.removeFirst()
      try report.write(to: recipe.output)
    }
    return report
  }

  /// Makes the stages of one run and measures it; nil if it was stopped. A run whose losses or samples are
  /// not finite has no scores.
  ///
  /// - Parameter isTrial: whether only the first of the numbers of steps is measured.
  private func row(
    _ name: String, _ stages: [TrainingRecipe], _ events: @escaping (Event) -> Void,
    _ stopping: @escaping () -> Bool, isTrial: Bool = false
  ) throws -> ComparisonReport.Row? {
    let training = stages.last!
    var seconds: [Double] = []
    /// Makes a stage; nil if it was stopped.
    func train(_ stage: TrainingRecipe, as name: String) throws -> Trainer? {
      let trainer = try Trainer(stage, on: engine, start: .continued, by: "compare") {
        events(.notice("\(name): \($0)"))
      }
      let finished = try trainer.run(
        progress: {
          seconds.append(1 / $0.rate)
          events(.training(name, $0))
        }, stopping: stopping)
      return finished ? trainer : nil
    }
    let steps = isTrial ? Array(recipe.steps.prefix(1)) : recipe.steps
    let failure = try key(of: stages, steps)
    if let saved = SavedRow(in: training.output), saved.isFailure, saved.isIntact {
      if saved.key == failure { return saved.row.named(name) }
      // A run that failed before its first checkpoint cannot go on. Its folder may hold those of others.
      let others = ["trial-", "seed-"]
      for entry in try namesInFolder(training.output)
      where !others.contains(where: entry.hasPrefix) {
        try FileManager.default.removeItem(atPath: "\(training.output)/\(entry)")
      }
    }
    func row(
      _ scores: [ComparisonReport.Scores?], _ trainer: Trainer? = nil, saved: SavedRow? = nil
    ) throws -> ComparisonReport.Row {
      ComparisonReport.Row(
        name: name, trainingSteps: stages.reduce(0) { $0 + $1.steps },
        learningRate: training.optimizer.learningRate,
        evaluations: try TrainingCost(training).evaluations,
        seconds: seconds.isEmpty ? saved?.row.seconds : seconds.sorted()[seconds.count / 2],
        memory: try trainer?.memory(), parameters: trainer?.parameters, scores: scores)
    }
    var trainer: Trainer?
    do {
      for (number, stage) in zip(1..., stages) {
        // The networks of one stage are released before those of the next are loaded.
        trainer = nil
        let part = stages.count > 1 ? ", stage \(number) of \(stages.count)" : ""
        trainer = try train(stage, as: name + part)
        if trainer == nil { return nil }
      }
    } catch let error as TrainingError {
      guard case .notFinite = error else { throw error }
      events(.notice("\(name): \(error)"))
      let failed = try row(steps.map { _ in nil })
      // The same run would fail again.
      try SavedRow(failure, failed).write(in: training.output)
      return failed
    }
    let network = ComparedNetwork(name, of: training)
    let key = try key(of: network, steps)
    let saved = SavedRow(in: training.output)
    if let saved, saved.key == key, saved.isIntact { return saved.row.named(name) }
    if saved != nil, seconds.isEmpty {
      events(.notice("\(name): the saved measurement is of other weights, data or settings."))
    }
    events(.measuring(name))
    // Each network has programs of its own, whose memory the next one's would not take.
    defer { engine.client.giveBackFreedMemory() }
    guard let scores = try scores(of: network, steps, stopping) else { return nil }
    let found = try row(scores, trainer, saved: saved?.isIntact == true ? saved : nil)
    try SavedRow(key, found).write(in: training.output)
    return found
  }

  /// Thrown where a measurement is stopped.
  private struct Stopped: Error {}

  /// The scores of a network; nil if the measurement was stopped.
  private func scores(
    of network: ComparedNetwork, _ steps: [Int], _ stopping: @escaping () -> Bool
  ) throws -> [ComparisonReport.Scores?]? {
    do {
      return try metric.measure(network, steps: steps) { if stopping() { throw Stopped() } }
    } catch is Stopped {
      return nil
    }
  }

  /// Measures the network that all methods start from; nil if that was stopped.
  private func row(
    of start: ComparedNetwork, _ events: (Event) -> Void, _ stopping: @escaping () -> Bool
  ) throws -> ComparisonReport.Row? {
    let folder = "\(recipe.output)/\(ComparisonRecipe.baseName)"
    let key = try key(of: start, recipe.steps)
    if let saved = SavedRow(in: folder), saved.key == key, saved.isIntact { return saved.row }
    events(.measuring(start.name))
    guard let scores = try scores(of: start, recipe.steps, stopping) else { return nil }
    let types = try WeightFiles(path: start.weights).types
    let row = ComparisonReport.Row(
      name: start.name, trainingSteps: 0, learningRate: nil, evaluations: 0, seconds: nil,
      memory: nil,
      parameters: .init(
        trained: 0, frozen: types.values.reduce(0) { $0 + $1.shape.count }, auxiliary: 0),
      scores: scores)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try SavedRow(key, row).write(in: folder)
    return row
  }

  /// Checks, before anything is trained, that the outputs replace no other files.
  private static func checkOutputs(_ folder: String) throws {
    let report = folder + "/report.json"
    let data = FileManager.default.contents(atPath: report)
    if let data, (try? JSONDecoder().decode(ReportMark.self, from: data)) == nil {
      throw FileError.otherKind(
        path: report, found: "something else", expected: "the report of a comparison")
    }
    let text = folder + "/report.md"
    if data == nil, FileManager.default.fileExists(atPath: text) {
      throw FileError.otherKind(
        path: text, found: "text that was not written by a comparison", expected: "a report")
    }
    try FileKind.json.checkReplaceable(report)
    try FileKind.text.checkReplaceable(text)
    for picture in ["distances.png", "accuracy.png", "one-step.png"] {
      try FileKind.png.checkReplaceable("\(folder)/\(picture)")
    }
  }

  /// The hash of all that a measurement depends on.
  private func key(of network: ComparedNetwork, _ steps: [Int]) throws -> String {
    let hash = ContentHash()
    hash.add(try WeightFiles.contentHash(network.weights))
    hash.add("\(steps) \(recipe.samples) \(programVersion)")
    hash.add(metric.content)
    return hash.text
  }

  /// The hash of all that a run which fails depends on, apart from its data.
  private func key(of stages: [TrainingRecipe], _ steps: [Int]) throws -> String {
    let hash = ContentHash()
    for stage in stages { hash.add(try RecipeWriter.line(stage)) }
    if let start = try stages[0].startPath(), WeightFiles.exist(at: start) {
      hash.add(try WeightFiles.contentHash(start))
    }
    hash.add("failed \(steps) \(recipe.samples) \(programVersion)")
    hash.add(metric.content)
    return hash.text
  }

  /// The networks that there are after a run; of several seeds the first one's.
  ///
  /// - Throws: `RecipeError`.
  private func compared() throws -> [ComparedNetwork] {
    let first = base.map { ComparedNetwork(ComparisonRecipe.baseName, of: $0) } ?? start
    let methods = try recipe.methods.map { method in
      let variant = ComparisonRecipe.Variant(seed: recipe.seeds?.first)
      return ComparedNetwork(method.name, of: try recipe.stages(method, as: variant).last!)
    }
    // A run that diverged early has none.
    return ([first].compactMap { $0 } + methods).filter { WeightFiles.exist(at: $0.weights) }
  }

  /// The networks of classes or points, after a run.
  ///
  /// - Throws: the errors of files.
  public func networks() throws -> [(name: String, file: ModelFile)] {
    try compared().map { ($0.name, try ModelFile($0.weights, on: engine)) }
  }

  /// A page of pictures that the networks make of some prompts in one step, after a run; nil where they
  /// take no prompts.
  ///
  /// - Throws: the errors of files, of evaluation and of the plugin.
  public func promptSheet() throws -> PromptSheet? {
    try (metric as? PromptMetric)?.sheet(compared())
  }

  /// The set of points that methods are compared on, nil for pictures.
  public var points: Points? { (metric as? PointMetric)?.set }

  /// The trajectories from noise to generated points, for a comparison on points.
  ///
  /// - Returns: the name of each method with the start and the end of each trajectory.
  public func trajectories(
    steps: Int, count: Int
  ) throws -> [(name: String, start: [Float], end: [Float])] {
    guard let metric = metric as? PointMetric else { return [] }
    return try networks().map { name, file in
      let points = try metric.points(file, file.card.sampler(steps), count: count)
      return (name, points.start, points.end)
    }
  }
}

/// What tells a report from other JSON, also one of an earlier version.
private struct ReportMark: Decodable {
  let title: String
  let evaluations: Double
  let steps: [Int]
}

extension Trainer {
  fileprivate var parameters: ComparisonReport.Parameters {
    func count(_ groups: String...) -> Int {
      groups.reduce(0) { $0 + stateTypes.group($1).values.reduce(0) { $0 + $1.shape.count } }
    }
    let auxiliary = stateTypes.names.filter {
      $0.hasPrefix("auxiliary.") && $0.contains(".weights.")
    }
    return ComparisonReport.Parameters(
      trained: count("weights"), frozen: count("frozen"),
      auxiliary: count("average", "initial")
        + auxiliary.reduce(0) { $0 + stateTypes[$1]!.shape.count })
  }
}
