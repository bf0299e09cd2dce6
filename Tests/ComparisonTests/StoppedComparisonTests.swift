import Foundation
import Recipe
import Runtime
import TestSupport
import Testing

@testable import Comparison

/// A comparison that is stopped has the report of what is measured, and goes on later.
@Suite struct StoppedComparisonTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func comparison(on engine: Engine) throws -> Comparison {
    let recipe = try folder.file(
      "recipe.yaml",
      """
      model: {kind: perceptron, width: 16, depth: 1}
      objective: {preset: flow-matching}
      data: {kind: moons}
      optimizer: {kind: adam, learning_rate: 1e-3}
      batch: 16
      steps: 4
      output: \(folder.path)/none
      """)
    let text = try folder.file(
      "comparison.yaml",
      """
      title: Stopped
      recipe: \(recipe)
      base: []
      evaluations: 600
      steps: [1, 2]
      samples: 100
      output: \(folder.path)/out
      methods: [{name: first}, {name: second, set: [seed=5], stages: [[], [batch=8]]}]
      """)
    return try Comparison(
      RecipeDecoder.decode(ComparisonRecipe.self, contentsOf: text), classifier: "", on: engine)
  }

  private func report() throws -> ComparisonReport {
    try JSONDecoder().decode(
      ComparisonReport.self,
      from: Data(contentsOf: URL(filePath: folder.path + "/out/report.json")))
  }

  @Test(arguments: [("base", [], ["first", "second"]), ("second", ["base", "first"], ["second"])])
  func stopsWhileSamplesAreMeasured(
    name: String, measured: [String], missing: [String]
  ) throws {
    let engine = try SharedEngine.get()
    var isStopping = false
    let stopped = try comparison(on: engine).run(
      events: { if case .measuring(name) = $0 { isStopping = true } }, stopping: { isStopping })
    #expect(stopped == nil)
    if measured.isEmpty {
      #expect(!FileManager.default.fileExists(atPath: folder.path + "/out/report.json"))
    } else {
      let report = try report()
      #expect(report.rows.map(\.name) == measured && report.missing == missing)
      #expect(report.markdown.contains("Not measured yet: \(missing.joined(separator: ", "))."))
    }
    var trained: [String] = []
    let finished = try comparison(on: engine).run(events: {
      if case .training(let name, _) = $0 { trained.append(name) }
    })
    #expect(finished?.rows.map(\.name) == ["base", "first", "second"])
    let stages = ["first": ["first"], "second": (1...2).map { "second, stage \($0) of 2" }]
    #expect(Set(trained) == Set(missing.filter { $0 != name }.flatMap { stages[$0]! }))
    #expect(try report().missing.isEmpty && !report().markdown.contains("Not measured yet"))
  }
}
