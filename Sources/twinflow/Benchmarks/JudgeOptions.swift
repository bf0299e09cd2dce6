import ArgumentParser
import Evaluation
import Files
import Pipelines
import Runtime

/// The networks that look at the pictures of benchmarks.
struct JudgeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A Qwen3-VL or Qwen2.5-VL that answers the questions of dpg and geneval2.",
      discussion: """
        Its folder or name, or those of a Qwen-Image-Edit, which has one. Qwen3-VL-8B-Instruct is the published \
        judge of geneval2; reports name the judge.
        """, valueName: "model"),
    completion: .directory, transform: pathOption)
  var judge: String?

  @Option(help: ArgumentHelp("How its weights are kept.", valueName: "type"))
  var judgeWeights: BaseDType?

  @Option(
    help: ArgumentHelp(
      "A Mask2Former that finds the objects of geneval: a folder, or mmdetection's .pth file.",
      discussion: "The published one has a Swin-S backbone. It needs --clip beside it.",
      valueName: "model"),
    transform: pathOption)
  var detector: String?

  @Option(
    help: ArgumentHelp(
      "A CLIP that names their colors, of transformers or open_clip; the published one is ViT-L/14.",
      valueName: "model"),
    completion: .directory, transform: pathOption)
  var clip: String?

  @OptionGroup var reader: ReaderOption

  /// The options that are given.
  var given: [String] {
    [
      ("judge", judge != nil), ("judge-weights", judgeWeights != nil),
      ("detector", detector != nil), ("clip", clip != nil), ("reader", reader.reader != nil),
    ].filter(\.1).map(\.0)
  }

  func validate() throws {
    guard (detector == nil) == (clip == nil) else {
      throw ValidationError(
        "--detector and --clip judge the pictures of geneval together: give both.")
    }
    if judgeWeights != nil, judge == nil {
      throw ValidationError("--judge-weights is for --judge: name its model.")
    }
  }

  /// The judge of each run's pictures, nil where none of the networks is for its benchmark; emoji-compositions has
  /// one of its own. Runs of a benchmark that follow each other share one network.
  ///
  /// Where another reader has found texts there is no judge, unless a reader is given. The closure throws the errors
  /// of opening a model, and of the findings that are there.
  ///
  /// - Parameter engine: called where a network needs one.
  func judgeOfEachRun(
    on engine: @escaping () throws -> Engine
  ) -> (BenchmarkScoring) throws -> BenchmarkJudge? {
    var open: (benchmark: Benchmark, judge: BenchmarkJudge?)?
    return { scoring in
      let benchmark = scoring.run.benchmark
      if open?.benchmark != benchmark {
        // Two networks are not on the devices together.
        open = nil
        open = (benchmark, try judge(for: benchmark, on: engine))
      }
      guard let judge = open?.judge else { return nil }
      if case .reader = judge, reader.reader == nil, try scoring.hasFindings(otherThanBy: judge) {
        return nil
      }
      return judge
    }
  }

  private func judge(
    for benchmark: Benchmark, on engine: () throws -> Engine
  ) throws -> BenchmarkJudge? {
    switch benchmark {
    case .geneval:
      guard let detector, let clip else { return nil }
      let engine = try engine()
      return .detector(
        try ObjectJudge(
          DetectionJudge(detector, on: engine), colors: CLIPJudge(clip, on: engine)))
    case .dpg, .geneval2:
      guard let judge else { return nil }
      let storage = judgeWeights ?? .stored
      let engine = try engine()
      let precision: Precision = engine.client.platformName == "cpu" ? .float32 : .bfloat16
      let network = try AnswerJudge(
        VisionLanguageJudge(judge, storage: storage, precision: precision, on: engine),
        storage: storage)
      return benchmark == .dpg ? .questions(network) : .firstTokens(network)
    case .emojiCompositions:
      return .detector(
        try SceneDetector(SharedFiles.standard.path(SceneDetector.shipped), on: engine()))
    case .longText, .oneIG:
      guard reader.reader != nil || TextReading.isFetched() else { return nil }
      return .reader(try TextJudge(TextReading(reader.reader)))
    }
  }
}
