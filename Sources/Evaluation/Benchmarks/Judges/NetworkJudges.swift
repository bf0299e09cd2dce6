import Files
import Pictures
import Pipelines

/// GenEval's judge by networks: Mask2Former finds the objects, and CLIP names their colors.
public struct ObjectJudge: GenEvalJudge {
  /// The name, with what identifies the weights.
  public let name: String
  private let detector: DetectionJudge
  private let colors: CLIPJudge

  /// What the detector's least score is below in no task.
  private static let least: Float = 0.3
  /// The colors among which one is chosen, in the published order.
  private static let names = [
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
  ]

  /// Makes a judge.
  ///
  /// - Parameters:
  ///   - detector: of COCO's 80 classes; they get GenEval's names.
  ///   - colors: the network that compares objects with the names of colors.
  /// - Throws: `BenchmarkError.otherJudge` for a detector of other classes, and the errors of files.
  public init(_ detector: DetectionJudge, colors: CLIPJudge) throws {
    let count = detector.config.labels.count
    guard count == GenEvalRule.classes.count else {
      throw BenchmarkError.otherJudge(
        path: detector.component.path,
        reason: "it finds things of \(count) classes, and GenEval asks for COCO's "
          + "\(GenEvalRule.classes.count)")
    }
    (self.detector, self.colors) = (detector, colors)
    name =
      "Mask2Former \(try detector.component.shortHash), CLIP \(try colors.component.shortHash)"
  }

  /// The objects of a picture, with the colors of those whose color the prompt asks for.
  ///
  /// - Throws: the plugin's errors, and those of CLIP's tokenizer.
  public func detections(
    in picture: RGBImage, for prompt: GenEvalPrompt
  ) throws -> [GenEvalDetection] {
    let found = try detector(picture, above: Self.least)
    var all = found.map {
      GenEvalDetection(
        className: GenEvalRule.classes[$0.label], box: Array($0.box.prefix(4)), score: $0.score)
    }
    let asked = Set(all.map(\.className)).filter(prompt.needsColors)
    for className in asked.sorted() {
      let own = all.indices.filter { all[$0].className == className }
      let crops = own.map { ObjectCrop()(picture, box: found[$0].box, mask: found[$0].mask) }
      let scores = try colors.colorScores(Self.names, of: className, in: crops)
      for (number, row) in zip(own, scores) {
        let best = row.firstIndex(of: row.max() ?? 0) ?? 0
        all[number].color = Self.names[best]
      }
    }
    return all
  }
}

/// A language model that answers the questions of DPG-Bench, and of which GenEval 2 takes the first token.
///
/// The published judge of GenEval 2 is Qwen3-VL-8B-Instruct, see `GenEval2Answer.isPublished`; with others, and of
/// DPG-Bench with all, figures are comparable only with those of the same judge.
public struct AnswerJudge: QuestionJudge, FirstTokenJudge {
  /// The name, with what identifies the weights.
  public let name: String
  private let network: VisionLanguageJudge

  /// Makes a judge.
  ///
  /// - Parameter storage: how its weights are kept, for the name.
  /// - Throws: the errors of files.
  public init(_ network: VisionLanguageJudge, storage: BaseDType = .stored) throws {
    self.network = network
    let kept = storage == .stored ? "" : " in \(storage.rawValue)"
    name = "\(network.config.title) \(try network.model.shortHash)\(kept)"
  }

  /// The most tokens of an answer of one word.
  private static let limit = 4

  /// The first word of the answer to each question, in small letters.
  ///
  /// - Throws: the errors of the network.
  public func answers(to questions: [String], about picture: RGBImage) throws -> [String] {
    let asked = questions.map {
      Conversation(asking: "\($0) Answer the question with yes or no.", about: [picture])
    }
    return try network.answers(to: asked, limit: Self.limit).map(Self.plain)
  }

  /// An answer as DPG-Bench compares it: the first word in small letters.
  static func plain(_ answer: String) -> String {
    String(answer.lowercased().drop { !$0.isLetter }.prefix { $0.isLetter })
  }

  /// The probability of the spellings of each right answer, and the most likely first token.
  ///
  /// - Throws: the errors of the network.
  public func answers(
    to instructions: [(text: String, spellings: [String])], about picture: RGBImage
  ) throws -> [GenEval2Answer] {
    let asked = instructions.map { Conversation(asking: $0.text, about: [picture]) }
    let logits = try network.logits(ofAnswersTo: asked)
    return zip(instructions, logits).map { instruction, row in
      GenEval2Answer(
        logits: row, spellings: instruction.spellings,
        firstToken: { Int(network.firstToken(of: $0)) },
        text: { network.tokenizer.decode([Int32($0)]) })
    }
  }
}

extension Component {
  /// The hash of the weights.
  var contentHash: String {
    get throws { try HashCache().hash(ofAll: files) }
  }

  /// The beginning of the hash of the weights.
  fileprivate var shortHash: String {
    get throws { try HashCache().shortHash(ofAll: files) }
  }
}

extension HashCache {
  /// The beginning of the hash of several files, for names.
  func shortHash(ofAll files: [String]) throws -> String {
    String(try hash(ofAll: files).prefix(8))
  }
}
