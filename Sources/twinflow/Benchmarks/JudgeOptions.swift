import ArgumentParser
import Evaluation
import Files
import Pipelines
import Runtime

/// The networks that look at the pictures of benchmarks.
struct JudgeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A Qwen2.5-VL that answers the questions of dpg and geneval2.",
      discussion: """
        Its folder or name, or those of a Qwen-Image-Edit, which has one. It is the published judge of neither, \
        and reports name it.
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

  /// The options that are given.
  var given: [String] {
    [
      ("judge", judge != nil), ("judge-weights", judgeWeights != nil),
      ("detector", detector != nil), ("clip", clip != nil),
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

  /// The judge of a benchmark, nil where none of the networks is for it; emoji-compositions has one of its own.
  ///
  /// - Parameter engine: called where there is a judge.
  /// - Throws: the errors of opening a model.
  func judge(of benchmark: Benchmark, on engine: () throws -> Engine) throws -> BenchmarkJudge? {
    switch benchmark {
    case .geneval:
      guard let detector, let clip else { return nil }
      return .detector(
        try ObjectJudge(
          DetectionJudge(detector, on: engine()), colors: CLIPJudge(clip, on: engine())))
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
      return nil
    }
  }
}
