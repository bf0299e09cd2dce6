import Datasets
import Files
import Foundation
import Tensors
import Evaluation
import Pipelines
import Runtime
import Training
import Weights

/// Trains the methods of a comparison one after the other, and measures them.
public struct Comparison {
  /// What is compared.
  public let recipe: ComparisonRecipe
  private let engine: Engine
  private let yardstick: Yardstick
  private let runs: [(name: String, recipe: TrainingRecipe)]

  /// What a comparison is doing.
  public enum Event {
    /// A step of a method's training.
    case training(String, Trainer.Progress)
    /// A method's samples are measured.
    case measuring(String)
    /// Something that a user should know, in a sentence.
    case notice(String)
  }

  /// Checks every method's recipe before anything is trained.
  ///
  /// - Parameter classifier: the classifier's weights, for pictures.
  /// - Throws: the errors of recipes, files and the plugin, `ComparisonError`.
  public init(_ recipe: ComparisonRecipe, classifier: String, on engine: Engine) throws {
    self.recipe = recipe
    self.engine = engine
    let base = try recipe.baseRecipe().map { [(name: "base", recipe: $0)] } ?? []
    runs = try base + recipe.methods.map { (name: $0.name, recipe: try recipe.training($0)) }
    yardstick = try Yardstick(
      runs[0].recipe.data, samples: recipe.samples, classifier: classifier, on: engine)
    for (name, training) in runs { try yardstick.check(training.model, "the method \(name)") }
    try Self.checkOutputs(recipe.output)
  }

  /// Runs it. What an earlier run has trained or measured is taken from there where everything that
  /// it depends on is the same: recipe, start weights, data, what measures it, and the program.
  ///
  /// - Parameters:
  ///   - events: told of everything that takes long.
  ///   - stopping: asked after every step of training whether to save and stop.
  /// - Returns: the report, nil if it was stopped.
  public func run(
    events: @escaping (Event) -> Void = { _ in }, stopping: () -> Bool = { false }
  ) throws -> ComparisonReport? {
    var report = ComparisonReport(
      title: recipe.title, distance: yardstick.name, accuracy: yardstick.accuracyName,
      floor: yardstick.floor,
      samples: recipe.samples, evaluations: recipe.evaluations, steps: recipe.steps)
    for (name, training) in runs {
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
      let kept = Measured(of: training)
      if let kept, kept.key == key, kept.isIntact {
        report.rows.append(kept.row.named(name))
        continue
      }
      if kept != nil, seconds.isEmpty {
        events(.notice("\(name): what was measured was of other weights, data or settings."))
      }
      events(.measuring(name))
      let file = try ModelFile(path, on: engine)
      let marks = try recipe.steps.map {
        try yardstick.mark(file, steps: $0, samples: recipe.samples, on: engine)
      }
      let row = ComparisonReport.Row(
        name: name, trainingSteps: training.steps,
        evaluations: try TrainingCost(training).evaluations,
        seconds: seconds.isEmpty
          ? kept?.isIntact == true ? kept?.row.seconds : nil : seconds.sorted()[seconds.count / 2],
        memory: try trainer.memory(), parameters: trainer.parameters,
        distances: marks.map(\.distance), accuracies: marks.map(\.accuracy))
      try Measured(key, row).write(for: training)
      report.rows.append(row)
    }
    return report
  }

  /// Checks, before anything is trained, that what is written in the end replaces nothing else.
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
        path: text, found: "a text that no comparison has written", expected: "a report")
    }
    try FileKind.json.checkReplaceable(report)
    try FileKind.text.checkReplaceable(text)
    for picture in ["distances.png", "one-step.png"] {
      try FileKind.png.checkReplaceable("\(folder)/\(picture)")
    }
  }

  /// The hash of everything that a measurement depends on.
  private func key(of weights: String) throws -> String {
    let hash = ContentHash()
    hash.add(try WeightFiles.contentHash(weights))
    hash.add("\(recipe.steps) \(recipe.samples) \(programVersion)")
    hash.add(yardstick.content)
    return hash.text
  }

  /// What has been trained, after a run.
  ///
  /// - Throws: the errors of files.
  public func networks() throws -> [(name: String, file: ModelFile)] {
    try runs.map { name, training in
      (name, try ModelFile(training.result, on: engine))
    }
  }

  /// The set of points that is compared on, nil for pictures.
  public var points: Points? {
    if case .points(let set, _, _) = yardstick { set } else { nil }
  }

  /// For a comparison of points: where each trained network sends noise.
  ///
  /// - Returns: the method's name with the start and the end of each point's way.
  public func ways(steps: Int, count: Int) throws -> [(name: String, start: [Float], end: [Float])]
  {
    guard case .points = yardstick else { return [] }
    return try networks().map { name, file in
      let points = try Yardstick.points(file, file.card.sampler(steps), count: count, on: engine)
      return (name, points.start, points.end)
    }
  }
}

/// What was measured of a run, kept in its folder, so that a comparison can be stopped at any time.
private struct Measured: Codable {
  /// The hash of everything that it depends on.
  let key: String
  let row: ComparisonReport.Row
  /// The hash of both, by which a file that was edited is known.
  let check: String

  init(_ key: String, _ row: ComparisonReport.Row) throws {
    (self.key, self.row) = (key, row)
    check = try Self.check(key, row)
  }

  /// Whether the file says what was measured.
  var isIntact: Bool { (try? Self.check(key, row)) == check }

  private static func check(_ key: String, _ row: ComparisonReport.Row) throws -> String {
    ContentHash.of(key + (try JSONFile.text(row)))
  }

  init?(of training: TrainingRecipe) {
    guard let data = FileManager.default.contents(atPath: Self.path(training)),
      let measured = try? JSONDecoder().decode(Measured.self, from: data)
    else { return nil }
    self = measured
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
