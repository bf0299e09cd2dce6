import Files
import Pictures

/// A detector of objects with a classifier of their colors, for GenEval.
public protocol GenEvalJudge {
  /// The name, with what identifies the weights.
  var name: String { get }
  /// The objects of a picture in its pixels; those whose color the prompt asks for have theirs.
  func detections(in picture: RGBImage, for prompt: GenEvalPrompt) throws -> [GenEvalDetection]
}

/// A model that answers questions about pictures, for DPG-Bench.
public protocol QuestionJudge {
  /// The name, with what identifies the weights.
  var name: String { get }
  /// An answer to each question.
  func answers(to questions: [String], about picture: RGBImage) throws -> [String]
}

/// A model whose first token is looked at, for GenEval 2.
public protocol FirstTokenJudge {
  /// The name, with what identifies the weights.
  var name: String { get }
  /// The answer to each instruction, with the probability of the spellings of the right one, see
  /// `GenEval2Answer`.
  func answers(
    to instructions: [(text: String, spellings: [String])], about picture: RGBImage
  ) throws -> [GenEval2Answer]
}

/// A model that reads the text of pictures, for LongText-Bench and OneIG-Bench.
public protocol TextReader {
  /// The name, with what identifies the weights.
  var name: String { get }
  /// What it reads, as the model says it.
  func text(in picture: RGBImage) throws -> String
}

/// What looks at the pictures of a benchmark.
public enum BenchmarkJudge {
  case detector(any GenEvalJudge)
  case questions(any QuestionJudge)
  case firstTokens(any FirstTokenJudge)
  case reader(any TextReader)

  /// The name.
  var name: String {
    switch self {
    case .detector(let judge): judge.name
    case .questions(let judge): judge.name
    case .firstTokens(let judge): judge.name
    case .reader(let judge): judge.name
    }
  }

  /// The members of the line about a file's pictures.
  ///
  /// - Parameter pictures: the file's picture, or those of its grid.
  func findings(
    _ pictures: [RGBImage], _ item: Int, of set: BenchmarkSet
  ) throws -> [(key: String, value: JSON)] {
    switch (self, set.content) {
    case (.detector(let judge), .geneval(let prompts)):
      let found = try judge.detections(in: pictures[0], for: prompts[item])
      return [("detections", .array(found.map(\.json)))]
    case (.questions(let judge), .dpg(let questions)):
      let own = questions.items[item].questions
      let crops = try pictures.map { picture in
        let answers = try judge.answers(to: own.map(\.text), about: picture)
        return JSON.object(zip(own, answers).map { ("\($0.number)", .string($1)) })
      }
      return [("crops", .array(crops))]
    case (.firstTokens(let judge), .geneval2(let prompts)):
      let answers = try judge.answers(
        to: prompts[item].questions.map { ($0.instruction, $0.spellings) }, about: pictures[0])
      let values = answers.map { answer in
        JSON.object([
          ("probability", .number(answer.probability)), ("first_token", .string(answer.firstToken)),
        ])
      }
      return [("answers", .array(values))]
    case (.reader(let judge), .longText):
      return [("text", .string(try judge.text(in: pictures[0])))]
    case (.reader(let judge), .oneIG):
      return [("texts", .array(try pictures.map { .string(try judge.text(in: $0)) }))]
    default:
      preconditionFailure("\(name) cannot judge pictures of \(set.benchmark.title)")
    }
  }
}

extension GenEvalDetection {
  fileprivate var json: JSON {
    .object(
      [
        ("class", .string(className)), ("box", .array(box.map { .number(Double($0)) })),
        ("score", .number(Double(score))),
      ] + (color.map { [("color", .string($0))] } ?? []))
  }
}
