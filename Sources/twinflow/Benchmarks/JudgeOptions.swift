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

  @Option(
    help: ArgumentHelp(
      "How its weights are kept: \(BaseDType.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "type"))
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

  /// The judge of a run's pictures, nil where none of the networks is for its benchmark; emoji-compositions has one
  /// of its own. Where another reader has found texts there is none, unless a reader is given.
  ///
  /// - Parameter engine: called where a network needs one.
  /// - Throws: the errors of opening a model, and of the findings that are there.
  func judge(of scoring: BenchmarkScoring, on engine: () throws -> Engine) throws -> BenchmarkJudge?
  {
    let benchmark = scoring.run.benchmark
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
      let judge = BenchmarkJudge.reader(try TextJudge(TextReading(reader.reader)))
      let isAsked = try reader.reader != nil || !scoring.hasFindings(otherThanBy: judge)
      return isAsked ? judge : nil
    }
  }
}
