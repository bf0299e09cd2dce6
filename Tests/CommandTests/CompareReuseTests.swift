import Comparison
import Evaluation
import Foundation
import Testing

/// The results that a comparison reuses from an earlier run, and those that it computes again.
@Suite struct CompareReuseTests {
  let folder: TemporaryFolder
  private var output: String { folder.path + "/out #1" }

  init() throws { folder = try TemporaryFolder() }

  private func comparison(
    evaluations: Int = 600, base: String = "steps=4", methods: String
  ) throws -> String {
    try folder.file(
      "comparison.yaml",
      """
      title: A comparison
      recipe: Recipes/points.yaml
      base: [\(base), batch=16, model.width=16]
      evaluations: \(evaluations)
      steps: [1]
      samples: 150
      output: "\(output)"
      methods: [\(methods)]
      """)
  }

  private func method(_ name: String, _ setting: String = "seed=0") -> String {
    "{name: \"\(name)\", set: [\"objective={preset: twinflow, enhanced_ratio: 0}\", batch=16, "
      + "model.width=16, \"\(setting)\"]}"
  }

  private func run(_ comparison: String) throws -> (rows: [ComparisonReport.Row], notices: String) {
    let result = try Command.run("compare", comparison)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(
      ComparisonReport.self, from: Data(contentsOf: URL(fileURLWithPath: output + "/report.json")))
    return (report.rows, result.errors)
  }

  @Test func changedBudgetsBasesAndMethodsAreRunAgain() throws {
    let first = try run(comparison(methods: method("One")))
    #expect(!first.notices.contains("from step 0"))
    let same = try run(comparison(methods: method("One")))
    #expect(same.rows[1].distances == first.rows[1].distances)
    #expect(!same.notices.contains("from step 0"))

    let less = try run(comparison(evaluations: 300, methods: method("One")))
    #expect(less.rows[1].trainingSteps == first.rows[1].trainingSteps / 2)
    #expect(less.rows[1].distances != first.rows[1].distances)
    #expect(less.notices.contains("One: ") && less.notices.contains("its steps is"))

    let other = try run(comparison(evaluations: 300, base: "steps=5", methods: method("One")))
    #expect(other.rows[0].trainingSteps == 5)
    #expect(other.rows[1].distances != less.rows[1].distances)
    #expect(other.notices.contains("it started from other weights"))

    // The same as at first gives the same figures again.
    #expect(
      try run(comparison(methods: method("One"))).rows[1].distances == first.rows[1].distances)
  }

  /// Edited results are measured again; files that are not reports of a comparison are kept.
  @Test func editedFiguresAndForeignReports() throws {
    let first = try run(comparison(methods: method("One")))
    let path = output + "/one/measured.json"
    for edit in ["\"accuracy\" : ", "\"distance\" : "] {
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try #require(text.contains(edit))
      try text.replacingOccurrences(of: edit, with: edit + "7")
        .write(toFile: path, atomically: true, encoding: .utf8)
      let again = try run(comparison(methods: method("One")))
      #expect(again.rows[1].scores == first.rows[1].scores)
    }
    let other = folder.path + "/other"
    for (name, text) in [("report.json", "{\"mine\": 1}"), ("report.md", "my notes")] {
      try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
      try text.write(toFile: "\(other)/\(name)", atomically: true, encoding: .utf8)
      let result = try Command.run(
        "compare", comparison(methods: method("One")), "--set", "output=\(other)")
      #expect(result.status == 1 && result.errors.contains(name), "\(result.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: other) == [name])
      try FileManager.default.removeItem(atPath: other)
    }
  }

  @Test func similarNamesAreTwoMethods() throws {
    let rows = try run(
      comparison(
        methods: [method("a+b", "seed=1"), method("A-B", "seed=2")].joined(separator: ", "))
    ).rows
    #expect(rows.map(\.name) == ["base", "a+b", "A-B"])
    #expect(rows[1].distances != rows[2].distances)
    let alone = try run(comparison(methods: method("A-B", "seed=2"))).rows
    #expect(alone[1].distances == rows[2].distances)
    // The folder is the one that was named, whatever YAML would make of it.
    #expect(folder.contents == ["comparison.yaml", "out #1"])
  }

  @Test func figuresOfAnotherClassifierAreNotKept() throws {
    let recipe = try folder.file(
      "recipe.yaml",
      """
      model: {kind: dit, patch: 14, width: 16, depth: 1, heads: 2}
      objective: {preset: flow-matching}
      data: {kind: fashion-mnist}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      batch: 8
      steps: 2
      output: unused
      """)
    let comparison = try folder.file(
      "images.yaml",
      """
      title: Images
      recipe: \(recipe)
      evaluations: 100
      steps: [1]
      samples: 130
      output: "\(output)"
      methods: [{name: One}]
      """)
    let classifier = folder.path + "/classifier.safetensors"
    let rounded = try Command.run(
      "convert", "Assets/fashion-mnist-classifier.safetensors", classifier, "--dtype=bf16")
    try #require(rounded.status == 0, "\(rounded.errors)")
    let first = try run(comparison)
    let result = try Command.run("compare", comparison, "--classifier", classifier)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("One: the saved measurement is of other"))
    let report = try JSONDecoder().decode(
      ComparisonReport.self, from: Data(contentsOf: URL(fileURLWithPath: output + "/report.json")))
    #expect(report.rows[0].distances != first.rows[0].distances)
    #expect(report.rows[0].trainingSteps == first.rows[0].trainingSteps)
  }

  @Test func aRunThatDivergesIsNotTrainedAgain() throws {
    let methods = [method("Wild", "optimizer.learning_rate=1e30"), method("Tame")]
    let first = try run(comparison(methods: methods.joined(separator: ", ")))
    #expect(first.notices.contains("Wild: "))
    #expect(first.rows[1].distances == [.infinity] && first.rows[2].distances[0].isFinite)
    let again = try run(comparison(methods: methods.joined(separator: ", ")))
    #expect(!again.notices.contains("Wild: "), "\(again.notices)")
    #expect(again.rows.map(\.distances) == first.rows.map(\.distances))
    // With another budget it might not.
    let more = try run(comparison(evaluations: 900, methods: methods.joined(separator: ", ")))
    #expect(more.notices.contains("Wild: "))
  }
}
