import Evaluation
import Foundation
import Pictures
import Testing

@Suite struct CommandTests {
  let folder: TemporaryFolder
  private let base = "Assets/fashion-mnist-base.safetensors"

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [
    "train", "sample", "evaluate", "demo", "convert", "check-golden", "devices",
  ])
  func helpHasAnExample(command: String) throws {
    let result = try Command.run(command, "--help")
    #expect(result.status == 0)
    #expect(result.output.contains("twinflow \(command)"))
    #expect(result.output.contains("EXAMPLE"))
  }

  @Test func devicesAreListed() throws {
    let result = try Command.run("devices")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("device    0: cpu"))
  }

  @Test func sheetsAreRepeatableAndSayHowTheyWereMade() throws {
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

  /// The demonstration on real data, shortened.
  @Test func demonstrationLeavesPicturesAndFigures() throws {
    let output = folder.path + "/demo"
    let result = try Command.run(
      "demo", "--steps", "2", "--samples", "100", "--output", output)
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
    #expect(report.rows.map(\.steps) == [1, 2, 1, 2, 50])
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
  }

  @Test func interruptSavesAndResumeGoesOn() throws {
    let output = folder.path + "/run"
    let recipe = try folder.file(
      "recipe.yaml",
      """
      model: {kind: dit, patch: 14, width: 16, depth: 1, heads: 2}
      objective: {kind: tutorial}
      data: {kind: fashion-mnist}
      optimizer: {kind: adamw, rate: 1e-3}
      batch: 8
      steps: 1000000
      output: \(output)
      log_every: 1
      """)
    let (process, finish) = try Command.start(["train", recipe])
    let log = output + "/log.jsonl"
    let isTraining = {
      ((try? Data(contentsOf: URL(fileURLWithPath: log)).count) ?? 0) > 0
    }
    for _ in 0..<3000 where process.isRunning && !isTraining() {
      Thread.sleep(forTimeInterval: 0.1)
    }
    if isTraining() { process.interrupt() } else { process.terminate() }
    let result = finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("--resume"))
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count
    #expect(lines > 0)

    let again = try Command.run("train", recipe)
    #expect(again.status != 0 && again.errors.contains("--resume"), "\(again.errors)")
    let resumed = try Command.run(
      "train", recipe, "--resume", "--set", "steps=\(lines + 2)")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(
      try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count == lines + 2)
  }
}
