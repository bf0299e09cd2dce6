import Comparison
import Evaluation
import Foundation
import Pictures
import Testing

@Suite struct CommandTests {
  let folder: TemporaryFolder
  private let base = "Assets/fashion-mnist-base.safetensors"

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [
    "train", "sample", "evaluate", "compare", "demo", "convert", "check-golden", "devices",
  ])
  func helpHasAnExample(command: String) throws {
    let result = try Command.run(command, "--help")
    #expect(result.status == 0)
    #expect(result.output.contains("twinflow \(command)"))
    #expect(result.output.contains("EXAMPLE"))
  }

  /// Paragraphs have no line breaks of their own, so that the terminal breaks them at its width; examples,
  /// which are to be copied, fit into 80 columns.
  @Test func helpIsBrokenByTheTerminalAlone() throws {
    struct Help: Decodable {
      let commandName: String
      let discussion: String?
      let subcommands: [Help]?
    }
    struct Dump: Decodable { let command: Help }
    let result = try Command.run("--experimental-dump-help")
    var commands = try [JSONDecoder().decode(Dump.self, from: Data(result.output.utf8)).command]
    var count = 0
    while let command = commands.popLast() {
      commands += command.subcommands ?? []
      count += 1
      let lines = (command.discussion ?? "").split(
        separator: "\n", omittingEmptySubsequences: false)
      for (line, next) in zip(lines, lines.dropFirst() + [""]) {
        let endsParagraph = next.isEmpty || next.hasPrefix("  ")
        #expect(endsParagraph || line.isEmpty, "\(command.commandName): \(line)")
        #expect(line.count <= 80 || !line.hasPrefix("  "), "\(command.commandName): \(line)")
      }
    }
    #expect(count > 25)
  }

  @Test func devicesAreListed() throws {
    let result = try Command.run("devices")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("device    0: cpu"))
  }

  @Test func sheetsAreReproducibleAndRecordTheirSettings() throws {
    let paths = ["a.png", "b.png", "c.png"].map { folder.path + "/" + $0 }
    for (path, seed) in zip(paths, ["7", "7", "8"]) {
      let result = try Command.run(
        "sample", base, "--steps", "2", "--columns", "2", "--seed", seed, "--output", path)
      #expect(result.status == 0, "\(result.errors)")
    }
    let files = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    #expect(files[0] == files[1])
    #expect(files[0] != files[2])
    let texts = try Picture.read(paths[0]).texts
    #expect(texts["twinflow.seed"] == "7")
    #expect(texts["twinflow.weights"] == base)
    #expect(texts["twinflow.sampler"]?.contains("\"steps\":2") == true)
  }

  /// The first pictures of a seed are the same however many are made.
  @Test func moreColumnsAddPictures() throws {
    let pictures = try [3, 12].map { columns -> Picture in
      let path = folder.path + "/\(columns).png"
      let result = try Command.run(
        "sample", base, "--columns", "\(columns)", "--seed", "7", "--output", path)
      try #require(result.status == 0, "\(result.errors)")
      return try Picture.read(path).picture
    }
    // Labels, three columns of 28 × 28 pictures at twice their size, and the gaps between them.
    let width = pictures[0].width - 20
    let rows = 78..<pictures[0].height - 20
    let same = rows.allSatisfy { row in
      (20..<width).allSatisfy { column in
        (0..<3).allSatisfy { channel in
          pictures[0].values[(row * pictures[0].width + column) * 3 + channel]
            == pictures[1].values[(row * pictures[1].width + column) * 3 + channel]
        }
      }
    }
    #expect(same && pictures[1].height == pictures[0].height)
  }

  /// The demonstration on real data, shortened.
  @Test func demonstrationLeavesPicturesAndFigures() throws {
    // A path is a path, whatever YAML would make of it.
    let output = folder.path + "/demo #2"
    let result = try Command.run(
      "demo", "--steps", "2", "--samples", "130", "--output", output)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("Fréchet distance"))
    for name in ["base-1step", "base-50step", "twinflow-1step", "twinflow-2step", "summary"] {
      let picture = try Picture.read("\(output)/\(name).png").picture
      #expect(picture.width > 500 && picture.height > 500)
    }
    struct DemoReport: Decodable {
      let rows: [Report.Row]
      let steps: Int
    }
    let report = try JSONDecoder().decode(
      DemoReport.self, from: Data(contentsOf: URL(fileURLWithPath: output + "/report.json")))
    #expect(report.steps == 2)
    #expect(report.rows.map(\.steps) == [1, 2, 1, 2, 1, 2, 50])
    #expect(report.rows.allSatisfy { $0.distance > 0 && (0...1).contains($0.accuracy) })
  }

  @Test func evaluationPutsTheFloorBesideTheFigures() throws {
    let path = folder.path + "/report.json"
    let result = try Command.run(
      "evaluate", base, "--steps", "1", "--samples", "300", "--output", path)
    #expect(result.status == 0, "\(result.errors)")
    let rows = try Report(contentsOf: path).rows
    #expect(rows.count == 2)
    #expect(rows[1].distance < rows[0].distance && rows[1].accuracy > 0.9)
    let measures = try rows.map { try #require($0.measures) }
    #expect(measures[1].recall! > 0.9 && measures[0].recall! < 0.1)
    #expect(measures[1].kernelDistance! < 0.2 && measures[0].kernelDistance! > 1)
    #expect(measures[1].diversity! > 10 * measures[0].diversity! && measures[1].coverage! > 0.9)
    #expect(result.output.contains("128 features of the classifier"))
  }

  @Test func comparisonTrainsMeasuresAndDraws() throws {
    let output = folder.path + "/compare"
    let comparison = try folder.file(
      "comparison.yaml",
      """
      title: A comparison
      recipe: Recipes/points.yaml
      base: [steps=4, batch=16, model.width=16]
      evaluations: 500
      steps: [1, 2]
      samples: 200
      output: \(output)
      methods:
        - {name: One, set: ["objective={preset: twinflow, enhanced_ratio: 0}", batch=16, model.width=16]}
        - {name: Three, set: ["objective={kind: distribution-matching}", batch=16, model.width=16]}
      """)
    let result = try Command.run("compare", comparison)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("# A comparison") && result.output.contains("| Three |"))
    let report = try JSONDecoder().decode(
      ComparisonReport.self, from: Data(contentsOf: URL(fileURLWithPath: output + "/report.json")))
    #expect(report.rows.map(\.name) == ["base", "One", "Three"])
    #expect(report.rows[1].trainingSteps == Int(500 / report.rows[1].evaluations))
    let parameters = report.rows.compactMap(\.parameters)
    #expect(parameters.map { $0.auxiliary / $0.trained } == [0, 1, 2])
    for name in ["distances", "one-step"] {
      #expect(try Picture.read("\(output)/\(name).png").picture.width > 300)
    }

    // What was trained and measured is not done again: even the times are the same.
    let text = try String(contentsOfFile: output + "/report.json", encoding: .utf8)
    #expect(try Command.run("compare", comparison).status == 0)
    #expect(try String(contentsOfFile: output + "/report.json", encoding: .utf8) == text)

    let wrong = try Command.run("compare", comparison, "--set", "evaluations=5")
    #expect(wrong.status != 0 && wrong.errors.contains("less than"), "\(wrong.errors)")
  }

  @Test func comparisonOfImagesShowsThem() throws {
    let output = folder.path + "/compare-images"
    let recipe = try smallRecipe("{preset: twinflow}", steps: 2, output: output + "/unused")
    let comparison = try folder.file(
      "comparison-images.yaml",
      """
      title: A comparison of images
      recipe: \(recipe)
      evaluations: 100
      steps: [1]
      samples: 100
      output: \(output)
      methods:
        - {name: Flow matching, set: ["objective={preset: flow-matching}"]}
        - {name: TwinFlow, set: [seed=1]}
      """)
    let result = try Command.run("compare", comparison)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try Picture.read(output + "/accuracy.png").picture.width == 860)
    let picture = try Picture.read(output + "/one-step.png").picture
    // Two rows of twenty images of 28 × 28, each twice as large.
    #expect(picture.width > 20 * 56 && picture.height > 2 * 56)
  }

  /// A recipe of steps that take little.
  private func smallRecipe(_ objective: String, steps: Int, output: String) throws -> String {
    try folder.file(
      "recipe.yaml",
      """
      model: {kind: dit, patch: 14, width: 16, depth: 1, heads: 2}
      objective: \(objective)
      data: {kind: fashion-mnist}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      batch: 8
      steps: \(steps)
      output: \(output)
      log_every: 1
      """)
  }

  /// Starts a run that takes long, of steps that take little.
  private func startRun(_ output: String) throws -> (
    recipe: String, process: Process, finish: () -> Command.Result
  ) {
    let recipe = try smallRecipe("{kind: tutorial}", steps: 100_000, output: output)
    let (process, finish) = try Command.start(["train", recipe])
    return (recipe, process, finish)
  }

  /// Waits until a run has logged a number of steps.
  private func wait(for steps: Int, _ output: String, _ process: Process) throws {
    for _ in 0..<3000 {
      guard process.isRunning, try loggedSteps(output) < steps else { break }
      Thread.sleep(forTimeInterval: 0.1)
    }
    #expect(try loggedSteps(output) >= steps)
  }

  private func loggedSteps(_ output: String) throws -> Int {
    guard let log = FileManager.default.contents(atPath: output + "/log.jsonl") else { return 0 }
    return log.count { $0 == UInt8(ascii: "\n") }
  }

  /// A thousand steps of a process of its own, so that no other test's memory is counted.
  @Test func memoryStaysFlat() throws {
    let output = folder.path + "/flat"
    let (_, process, finish) = try startRun(output)
    func resident() throws -> Int {
      let fields = try String(
        contentsOfFile: "/proc/\(process.processIdentifier)/statm", encoding: .utf8
      ).split(separator: " ")
      return Int(fields[1])! * 4096
    }
    try wait(for: 200, output, process)
    let before = try resident()
    try wait(for: 1200, output, process)
    let after = try resident()
    process.interrupt()
    #expect(finish().status == 128 + SIGINT)
    #expect(after - before < 16 << 20)
  }

  @Test func interruptSavesAndResumeContinues() throws {
    let output = folder.path + "/run"
    let (recipe, process, finish) = try startRun(output)
    try wait(for: 1, output, process)
    process.interrupt()
    let result = finish()
    #expect(result.status == 128 + SIGINT, "\(result.errors)")
    #expect(result.output.contains("--resume"))
    let steps = try loggedSteps(output)

    let again = try Command.run("train", recipe)
    #expect(again.status != 0 && again.errors.contains("--resume"), "\(again.errors)")
    let resumed = try Command.run("train", recipe, "--resume", "--set", "steps=\(steps + 2)")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try loggedSteps(output) == steps + 2)
  }
}

@Suite struct RecipeReferenceTests {
  /// The page of all keys is what the program prints.
  @Test func theReferenceIsUpToDate() throws {
    let path = Command.root + "/docs/recipe-keys.md"
    let result = try Command.run("recipe", "reference")
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      try String(contentsOfFile: path, encoding: .utf8) == result.output,
      "Run it again: swift run twinflow recipe reference > docs/recipe-keys.md")
  }
}
