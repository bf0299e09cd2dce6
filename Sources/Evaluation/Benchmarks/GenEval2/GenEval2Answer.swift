import Foundation

/// What a model says to a question of GenEval 2: how likely the right answer is as its first token, and
/// what that token is.
public struct GenEval2Answer: Hashable, Sendable, Codable {
  /// The probability of the right answer: the sum over its spellings.
  public let probability: Double
  /// The most likely first token.
  public let firstToken: String

  enum CodingKeys: String, CodingKey {
    case probability
    case firstToken = "first_token"
  }

  /// Describes an answer.
  public init(probability: Double, firstToken: String) {
    (self.probability, self.firstToken) = (probability, firstToken)
  }

  /// The answer by the logits of the first token.
  ///
  /// - Parameters:
  ///   - logits: a number for each token, in f32 as the published code has them.
  ///   - spellings: the spellings of the right answer.
  ///   - firstToken: the first token of a text.
  ///   - text: the text of a token.
  public init(
    logits: [Float], spellings: [String], firstToken: (String) -> Int, text: (Int) -> String
  ) {
    let most = logits.max() ?? 0
    let exponentials = logits.map { expf($0 - most) }
    let sum = exponentials.reduce(0, +)
    probability = spellings.reduce(0.0) { $0 + Double(exponentials[firstToken($1)] / sum) }
    self.firstToken = text(logits.firstIndex(of: most) ?? 0)
  }

  /// Whether a judge is the published one by its name: a Qwen3-VL of the sizes of Qwen3-VL-8B-Instruct, with its
  /// weights as its files hold them.
  public static func isPublished(judge name: String) -> Bool {
    name.wholeMatch(of: /Qwen3-VL-8B [0-9a-f]{8}/) != nil
  }

  /// Whether the first token is a spelling of the right answer in lower case.
  public func isRight(_ spellings: [String]) -> Bool {
    spellings.contains(firstToken.lowercased())
  }
}
