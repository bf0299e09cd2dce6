import ArgumentParser
import Datasets
import Evaluation
import Files
import Foundation
import Pictures
import Recipe
import Comparison
import Pipelines
import Runtime
import Training

/// `twinflow compare`
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains methods under the same budget and compares their samples.",
    discussion: """
      The recipe names a training recipe shared by all methods, the settings of each method, and the \
      budget in network evaluations. The folder "output" gets a run for each method, report.md and \
      report.json with distances at several numbers of steps, memory, parameters and seconds, and \
      charts; both reports are written after every method. Ctrl-C saves and stops; the same command \
      continues.

      EXAMPLES
        twinflow compare Recipes/compare/points.yaml
        twinflow compare Recipes/compare/fashion-mnist.yaml --set evaluations=1e5
      """)

  @Argument(
    help: "The comparison: a YAML file, or the name of an installed one.",
    completion: .file(extensions: ["yaml", "yml"]),
    transform: pathOption)
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Replaces a value of the comparison.", valueName: "key=value"))
  var settings: [String] = []

  @Option(help: "The classifier's weights, for pictures.", transform: pathOption)
  var classifier = shippedClassifier

  @OptionGroup var engine: EngineOptions

  func run() throws {
    let interrupt = Interrupt()
    let recipe = try RecipeDecoder.decode(
      ComparisonRecipe.self, contentsOf: SharedFiles.standard.recipe(recipe),
      settings: settings.map { try RecipeSetting($0) })
    let classifier = try SharedFiles.standard.path(classifier)
    let engine = try engine.open()
    let comparisons = try recipe.comparisons.map {
      try Comparison($0, classifier: classifier, on: engine)
    }
    try FileManager.default.createDirectory(
      atPath: recipe.output, withIntermediateDirectories: true)
    let lock = try FolderLock(recipe.output)
    defer { withExtendedLifetime(lock) {} }
    var reports: [String] = []
    for comparison in comparisons {
      guard let report = try run(comparison, interrupt, engine) else {
        print("Stopped; the same command continues.")
        throw ExitCode(interrupt.exitCode)
      }
      reports.append(report.markdown)
      print(report.markdown)
    }
    if comparisons.count > 1 {
      let text = reports.joined(separator: "\n")
      try StagedFile.write(Data(text.utf8), to: recipe.output + "/report.md", as: .text)
    }
    print("The report and its charts are in \(recipe.output).")
  }

  /// Runs one comparison and draws its charts; nil if it was stopped.
  private func run(
    _ comparison: Comparison, _ interrupt: Interrupt, _ engine: Engine
  ) throws -> ComparisonReport? {
    let recipe = comparison.recipe
    var bar: (name: String, bar: ProgressBar)?
    let report = try comparison.run(
      events: { event in
        switch event {
        case .training(let name, let progress):
          if bar?.name != name {
            bar?.bar.finish()
            bar = (name, ProgressBar(name, of: progress.total))
          }
          bar?.bar.show(progress)
        case .measuring(let name):
          bar?.bar.finish()
          bar = nil
          FileHandle.standardError.write("\(name): measuring its samples.\n")
        case .notice(let text): FileHandle.standardError.write(text + "\n")
        }
      }, stopping: { interrupt.isNoted })
    guard let report else {
      bar?.bar.finish()
      return nil
    }
    try draw(report, comparison, recipe, engine)
    return report
  }

  private func draw(
    _ report: ComparisonReport, _ comparison: Comparison, _ recipe: ComparisonRecipe,
    _ engine: Engine
  ) throws {
    let places = report.steps.map { "\($0) step\($0 == 1 ? "" : "s")" }
    let distances = LineChart(
      title: report.title, axis: report.names.distance, places: places,
      lines: report.rows.map { ($0.name, $0.distances) },
      level: report.real.distance.flatMap { $0 > 0 ? ("real samples", $0) : nil })
    try distances.picture.write(to: recipe.output + "/distances.png")
    let accuracies = LineChart(
      title: report.title, axis: report.names.accuracy, places: places,
      lines: report.rows.map { ($0.name, $0.accuracies) }, scale: .linear)
    try accuracies.picture.write(to: recipe.output + "/accuracy.png")

    if let sheet = try comparison.promptSheet() {
      try sheet.write(to: recipe.output + "/one-step.png")
      return
    }
    guard let set = comparison.points else {
      let gallery = Gallery(engine: engine, seed: 0)
      try gallery.comparison(comparison.networks(), title: report.title).picture
        .write(to: recipe.output + "/one-step.png")
      return
    }
    let trajectories = try comparison.trajectories(steps: 1, count: 2000)
    var panels = [PointPlot.Panel(title: "real points", points: set.sample(2000, seed: 7))]
    panels += trajectories.map { PointPlot.Panel(title: $0.name, starts: $0.start, points: $0.end) }
    try PointPlot(panels).picture.write(to: recipe.output + "/one-step.png")
  }
}
