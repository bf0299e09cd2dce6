import Datasets
import Files
import Foundation
import Tensors
import Evaluation
import Pipelines
import Runtime
import Training
import Weights

/// Trains and measures the methods of a comparison.
public struct Comparison {
  /// The recipe.
  public let recipe: ComparisonRecipe
  private let engine: Engine
  private let metric: Metric
  private let base: TrainingRecipe?

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
        return try (variants.isEmpty ? [ComparisonRecipe.Variant()] : variants).map {
          (method.name, try recipe.training(method, as: $0))
        }
      }
    metric = try Metric(
      all[0].1.data, samples: recipe.samples, classifier: classifier, on: engine)
    for (name, training) in all { try metric.check(training.model, "the method \(name)") }
    try Self.checkOutputs(recipe.output)
  }

  /// Runs the comparison. Results of an earlier run are reused where all that they depend on is
  /// unchanged: recipe, initial weights, data, metric and program version.
  ///
  /// - Parameters:
  ///   - events: called with the progress.
  ///   - stopping: called after every training step; returns whether to save and stop.
  /// - Returns: the report, nil if the run was stopped.
  public func run(
    events: @escaping (Event) -> Void = { _ in }, stopping: () -> Bool = { false }
  ) throws -> ComparisonReport? {
    var report = ComparisonReport(
      title: recipe.title, distance: metric.name, accuracy: metric.accuracyName,
      floor: metric.floor,
      samples: recipe.samples, evaluations: recipe.evaluations, steps: recipe.steps)
    if let base {
      guard let row = try row("base", base, events, stopping) else { return nil }
      report.rows.append(row)
    }
    for method in recipe.methods {
      var best: (rate: Double, distance: Double)?
      for variant in try recipe.trials(method) {
        let name = "\(method.name) at \(variant.learningRate!)"
        guard
          let row = try row(
            name, recipe.training(method, as: variant), events, stopping, mayDiverge: true)
        else { return nil }
        // A trial that diverged has no distance.
        let distance = row.distances[0].isFinite ? row.distances[0] : .infinity
        if distance < best?.distance ?? .infinity { best = (variant.learningRate!, distance) }
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
          let row = try row(name, recipe.training(method, as: variant), events, stopping)
        else { return nil }
        rows.append(row)
      }
      report.rows.append(ComparisonReport.Row(method.name, rows))
    }
    return report
  }

  /// Trains and measures one run; nil if it was stopped.
  ///
  /// - Parameter mayDiverge: whether samples that are not finite are infinitely far from the data rather
  ///   than an error.
  private func row(
    _ name: String, _ training: TrainingRecipe, _ events: @escaping (Event) -> Void,
    _ stopping: () -> Bool, mayDiverge: Bool = false
  ) throws -> ComparisonReport.Row? {
    let trainer = try Trainer(training, on: engine, start: .continued, by: "compare") {
      events(.notice("\(name): \($0)"))
    }
    var seconds: [Double] = []
    let finished = try trainer.run(
      progress: {
        seconds.append(1 / $0.rate)
        events(.training(name, $0))
      }, stopping: stopping)
    guard finished else { return nil }
    let path = training.result
    let key = try key(of: path)
    let saved = SavedRow(of: training)
    if let saved, saved.key == key, saved.isIntact { return saved.row.named(name) }
    if saved != nil, seconds.isEmpty {
      events(.notice("\(name): the saved measurement is of other weights, data or settings."))
    }
    events(.measuring(name))
    let file = try ModelFile(path, on: engine)
    let scores = try recipe.steps.map { steps in
      do {
        return try metric.measure(file, steps: steps, samples: recipe.samples, on: engine)
      } catch EvaluationError.featuresNotFinite where mayDiverge {
        return Metric.Scores(distance: .infinity, accuracy: 0)
      }
    }
    let row = ComparisonReport.Row(
      name: name, trainingSteps: training.steps,
      learningRate: training.optimizer.learningRate,
      evaluations: try TrainingCost(training).evaluations,
      seconds: seconds.isEmpty
        ? saved?.isIntact == true ? saved?.row.seconds : nil
        : seconds.sorted()[seconds.count / 2],
      memory: try trainer.memory(), parameters: trainer.parameters,
      distances: scores.map(\.distance), accuracies: scores.map(\.accuracy))
    if row.distances.allSatisfy(\.isFinite) || !mayDiverge {
      try SavedRow(key, row).write(for: training)
    }
    return row
  }

  /// Checks, before anything is trained, that the outputs replace no other files.
  private static func checkOutputs(_ folder: String) throws {
    let report = folder + "/report.json"
    let data = FileManager.default.contents(atPath: report)
    if let data, (try? JSONDecoder().decode(ComparisonReport.self, from: data)) == nil {
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
    for picture in ["distances.png", "one-step.png"] {
      try FileKind.png.checkReplaceable("\(folder)/\(picture)")
    }
  }

  /// The hash of all that a measurement depends on.
  private func key(of weights: String) throws -> String {
    let hash = ContentHash()
    hash.add(try WeightFiles.contentHash(weights))
    hash.add("\(recipe.steps) \(recipe.samples) \(programVersion)")
    hash.add(metric.content)
    return hash.text
  }

  /// The trained networks, after a run.
  ///
  /// - Throws: the errors of files.
  public func networks() throws -> [(name: String, file: ModelFile)] {
    // Of several seeds the first one's.
    let methods = try recipe.methods.map { method in
      (method.name, try recipe.training(method, as: .init(seed: recipe.seeds?.first)))
    }
    return try ([base].compactMap { $0.map { ("base", $0) } } + methods).map { name, training in
      (name, try ModelFile(training.result, on: engine))
    }
  }

  /// The set of points that methods are compared on, nil for pictures.
  public var points: Points? {
    if case .points(let set, _, _) = metric { set } else { nil }
  }

  /// The trajectories from noise to generated points, for a comparison on points.
  ///
  /// - Returns: the name of each method with the start and the end of each trajectory.
  public func trajectories(
    steps: Int, count: Int
  ) throws -> [(name: String, start: [Float], end: [Float])] {
    guard case .points = metric else { return [] }
    return try networks().map { name, file in
      let points = try Metric.points(file, file.card.sampler(steps), count: count, on: engine)
      return (name, points.start, points.end)
    }
  }
}

/// The measurements of a run, saved in its folder, so that a comparison can be stopped at any time.
private struct SavedRow: Codable {
  /// The hash of all that the measurements depend on.
  let key: String
  let row: ComparisonReport.Row
  /// The hash of both, to detect edited files.
  let check: String

  init(_ key: String, _ row: ComparisonReport.Row) throws {
    (self.key, self.row) = (key, row)
    check = try Self.check(key, row)
  }

  /// Whether the file was not edited.
  var isIntact: Bool { (try? Self.check(key, row)) == check }

  private static func check(_ key: String, _ row: ComparisonReport.Row) throws -> String {
    ContentHash.of(key + (try JSONFile.text(row)))
  }

  init?(of training: TrainingRecipe) {
    guard let data = FileManager.default.contents(atPath: Self.path(training)),
      let saved = try? JSONDecoder().decode(SavedRow.self, from: data)
    else { return nil }
    self = saved
  }

  func write(for training: TrainingRecipe) throws {
    try JSONFile.write(self, to: Self.path(training))
  }

  private static func path(_ training: TrainingRecipe) -> String {
    training.output + "/measured.json"
  }
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
