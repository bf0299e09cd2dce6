import ArgumentParser
import Evaluation
import Files
import Foundation

/// `twinflow score`
struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores the pictures of benchmarks, and writes a report.",
    discussion: """
      Takes what twinflow evaluate --benchmark has made, or pictures that other programs made in a benchmark's \
      own layout, and what judges found in them: networks that are named here, or a file with a JSON object \
      for each picture, which docs/evaluation.md describes. The arithmetic is that of the published scripts; \
      where it has a mistake, the figure without it is given as well. Writes report.json and report.html \
      into the folder.

      EXAMPLES
        twinflow score runs/eval
        twinflow score runs/eval --detector mask2former_swin-s.pth \\
          --clip CLIP-ViT-L-14
        twinflow score runs/eval/geneval/emoji-1-step --detections detections.jsonl
        twinflow score runs/eval --diversity --real photographs
        twinflow score runs/eval --diversity --features clip-vit-large-patch14
        twinflow score pictures --benchmark dpg --prompts dpg_bench.csv \\
          --answers answers.jsonl
      """)

  @Argument(
    help:
      "The --out folder of twinflow evaluate --benchmark, that of one run, or a folder of pictures.",
    transform: pathOption)
  var folder: String

  @Option(
    help: ArgumentHelp(
      "The benchmark of pictures that another program made.", valueName: "benchmark"))
  var benchmark: Benchmark?

  @Option(
    help: ArgumentHelp(
      "The benchmark's file of prompts; those of geneval, longtext and emoji-compositions come with the program.",
      valueName: "file"),
    transform: pathOption)
  var prompts: String?

  @Option(
    help: ArgumentHelp("The objects in pictures of geneval.", valueName: "file.jsonl"),
    transform: pathOption)
  var detections: String?

  @Option(
    help: ArgumentHelp(
      "The answers to the questions of dpg or geneval2; of the latter also the published score_lists.json.",
      valueName: "file.jsonl"),
    transform: pathOption)
  var answers: String?

  @Option(
    help: ArgumentHelp(
      "The texts that were read in pictures of longtext or oneig.", valueName: "file.jsonl"),
    transform: pathOption)
  var texts: String?

  @Option(
    help: ArgumentHelp(
      "The pictures of each prompt that another program made; by default as published.",
      valueName: "number"),
    transform: integer(1...PromptEvaluation.mostSamples))
  var samplesPerPrompt: Int?

  @Option(
    help: ArgumentHelp(
      "The name of such pictures in reports; of oneig also that of the model's folder.",
      valueName: "name"))
  var name: String?

  @Option(
    help: ArgumentHelp(
      "The folder of the scores of such pictures, runs/eval by default.", valueName: "folder"),
    completion: .directory, transform: pathOption)
  var out: String?

  @Flag(help: "Scores the pictures that are there and were judged, where others are missing.")
  var partial = false

  @Flag(
    help: "Measures how much the pictures of a prompt differ, by the features of a network.")
  var diversity = false

  @Option(
    help: ArgumentHelp(
      "A folder of real pictures, to which the distance of all pictures is measured by features too.",
      valueName: "folder"),
    completion: .directory, transform: pathOption)
  var real: String?

  @Option(
    help: ArgumentHelp(
      "The network of these features: EfficientNet-Lite0's file, by default that of scripts/fetch-efficientnet, "
        + "or the folder or name of a CLIP, of transformers or open_clip.",
      valueName: "network"),
    transform: pathOption)
  var features: String?

  @OptionGroup(title: "Judges") var judges: JudgeOptions
  @OptionGroup var engine: EngineOptions

  /// What judges pictures, nil where a file says what is in them.
  private var judge: ((BenchmarkScoring) throws -> BenchmarkJudge?)? {
    guard findings.isEmpty else { return nil }
    return judges.judgeOfEachRun { try engine.open() }
  }

  /// What measures features, nil where none are asked for.
  private func measure() throws -> ((BenchmarkScoring) throws -> [BenchmarkScores.Figure])? {
    guard diversity || real != nil else { return nil }
    let source = try PictureFeaturesSource(features)
    let engine = try engine.open()
    let network = try source.load(on: engine)
    return { scoring in
      let count = scoring.files.reduce(0) { $0 + $1.samples.count }
      let bar = ProgressBar("\(scoring.run.title), features", of: count)
      defer { bar.finish() }
      return try scoring.featureFigures(by: network, real: real, on: engine) {
        bar.show(min($0, count))
      }
    }
  }

  private var findings: [(option: String, path: String)] {
    [("detections", detections), ("answers", answers), ("texts", texts)]
      .compactMap { name, path in path.map { (name, $0) } }
  }

  func validate() throws {
    if findings.count > 1 {
      throw ValidationError(
        "--\(findings[0].option) and --\(findings[1].option) are of different benchmarks.")
    }
    if let name { try BenchmarkOptions.check(name) }
    if let given = findings.first, let network = judges.given.first {
      throw ValidationError(
        "--\(given.option) says what is in pictures already: leave it or --\(network) out.")
    }
    if features != nil, !diversity, real == nil {
      throw ValidationError("--features are for --diversity and --real: give one of them.")
    }
    if let benchmark, let given = findings.first { try check(given.option, benchmark) }
    let given = [
      ("prompts", prompts != nil), ("samples-per-prompt", samplesPerPrompt != nil),
      ("name", name != nil), ("out", out != nil),
    ]
    if benchmark == nil, let (name, _) = given.first(where: \.1) {
      throw ValidationError(
        "--\(name) is for pictures of other programs: name their benchmark with --benchmark.")
    }
  }

  func run() throws {
    let own = BenchmarkRun.folders(in: folder)
    guard let benchmark else {
      guard !own.isEmpty else { throw BenchmarkError.noRuns(path: folder) }
      if let given = findings.first {
        guard own.count == 1 else {
          throw ValidationError(
            "--\(given.option) is of one run, and \(folder) has \(own.count). Name the folder of one."
          )
        }
        try check(given.option, try BenchmarkRun(in: own[0]).benchmark)
      }
      return try BenchmarkScorer(
        folders: own, reportIn: folder, findings: findings.first?.path, isPartial: partial,
        judge: judge, measure: measure()
      ).run(requiresScores: true)
    }
    guard own.isEmpty else {
      throw ValidationError(
        "\(folder) has runs of its own, whose benchmarks are known: leave out --benchmark.")
    }
    let set = try BenchmarkOptions.prompts(benchmark, prompts)
    let name = name ?? URL(fileURLWithPath: folder).lastPathComponent
    let out = out ?? BenchmarkOptions.standardOut
    let run = try BenchmarkRun(
      set, name: name, in: "\(out)/\(set.folderName)/\(name)",
      pictures: URL(fileURLWithPath: folder).path,
      picturesPerPrompt: samplesPerPrompt ?? benchmark.picturesPerPrompt)
    let place = "\(out)/\(set.folderName)/\(name)"
    try run.write(to: place)
    try BenchmarkScorer(
      folders: [place], reportIn: out, findings: findings.first?.path, isPartial: partial,
      judge: judge, measure: measure()
    ).run(requiresScores: true)
  }

  private func check(_ option: String, _ benchmark: Benchmark) throws {
    guard option == benchmark.findings.name else {
      throw ValidationError(
        "\(benchmark.title) is scored by --\(benchmark.findings.name), not by --\(option).")
    }
  }
}
