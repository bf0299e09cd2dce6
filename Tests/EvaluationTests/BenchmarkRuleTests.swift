import Files
import Foundation
import Testing

@testable import Evaluation

/// The rules of benchmarks one by one; whole cases are in GoldenTests.
@Suite struct BenchmarkRuleTests {
  private func prompt(_ text: String) throws -> GenEvalPrompt {
    let value = try Array(text.utf8).withUnsafeBytes { try JSONReader.read($0) }
    return try GenEvalPrompt(value)
  }

  private func verdict(
    _ prompt: GenEvalPrompt, _ detections: [GenEvalDetection],
    _ options: GenEvalRule.Options = .init()
  ) -> GenEvalResult {
    GenEvalRule(options).judge(prompt, detections) { _, objects in objects.map { $0.color ?? "" } }
  }

  private func object(
    _ name: String, _ score: Float, _ box: [Float] = [0, 0, 10, 10], color: String? = nil
  ) -> GenEvalDetection {
    GenEvalDetection(className: name, box: box, score: score, color: color)
  }

  @Test func thresholdsAreStrictInSinglePrecision() throws {
    let cow = try prompt(
      #"{"tag": "single_object", "include": [{"class": "cow", "count": 1}], "prompt": "a cow"}"#)
    #expect(!verdict(cow, [object("cow", 0.3)]).isCorrect)
    #expect(verdict(cow, [object("cow", Float(0.3).nextUp)]).isCorrect)
    let two = try prompt(
      #"""
      {"tag": "counting", "include": [{"class": "cow", "count": 2}],
       "exclude": [{"class": "cow", "count": 3}], "prompt": "two cows"}
      """#)
    let result = verdict(two, [object("cow", 0.95), object("cow", 0.9)])
    #expect(result.reason == "expected cow>=2, found 1")
    #expect(
      verdict(two, [0.95, 0.96, 0.97].map { object("cow", $0) }).reason == "expected cow<3, found 3"
    )
    // With at most two objects a third one cannot be too many.
    var few = GenEvalRule.Options()
    few.mostObjects = 2
    #expect(verdict(two, [0.95, 0.96, 0.97].map { object("cow", $0) }, few).isCorrect)
  }

  @Test func overlappingObjectsAreOneWhereAsked() throws {
    let options = { (most: Float) in
      var options = GenEvalRule.Options()
      options.mostOverlap = most
      return options
    }
    let objects = [object("cow", 0.9), object("cow", 0.8, [0, 0, 10, 9])]
    #expect(GenEvalRule().kept(objects, tag: "").map(\.objects.count) == [2])
    #expect(GenEvalRule(options(0.5)).kept(objects, tag: "").map(\.objects.count) == [1])
    // The overlap is 110 of 121 pixels, and the limit itself does not stay.
    let overlap = objects[0].overlap(with: objects[1])
    #expect(overlap == Float(110) / 121)
    #expect(GenEvalRule(options(overlap)).kept(objects, tag: "")[0].objects.count == 1)
    #expect(GenEvalRule(options(overlap.nextUp)).kept(objects, tag: "")[0].objects.count == 2)
  }

  @Test func relationsAreByTheFullOffset() {
    let a = object("cow", 1)
    #expect(object("cow", 1, [30, 0, 40, 10]).relations(to: a, slack: 0.1) == ["right of"])
    #expect(
      object("cow", 1, [30, 30, 40, 40]).relations(to: a, slack: 0.1) == ["right of", "below"])
    #expect(object("cow", 1, [-30, -12, -20, -2]).relations(to: a, slack: 0.1) == ["left of"])
    #expect(object("cow", 1, [1, 1, 11, 11]).relations(to: a, slack: 0.1) == [])
  }

  @Test func colorsAndPlacesAreChecked() throws {
    let own = try prompt(
      #"""
      {"tag": "color_attr", "include": [{"class": "cow", "count": 1, "color": "red"},
       {"class": "dog", "count": 1, "position": ["below", 0]}], "prompt": "a dog below a red cow"}
      """#)
    let dog = object("dog", 0.9, [0, 30, 10, 40])
    #expect(verdict(own, [object("cow", 0.9, color: "red"), dog]).isCorrect)
    #expect(
      verdict(own, [object("cow", 0.9, color: "blue"), dog]).reason
        == "expected red cow>=1, found 0 red; and 1 blue\nno target for dog to be below")
    #expect(
      verdict(own, [object("cow", 0.9, color: "red"), object("dog", 0.9)]).reason
        == "expected dog below target, found  target")
    // What is not asked for is not looked at.
    let plain = GenEvalRule().judge(own, [dog]) { _, _ -> [String] in
      Issue.record("no color matters")
      return []
    }
    #expect(!plain.isCorrect && plain.details.hasPrefix(#"{"dog": [[0.0, 30.0, 10.0, 40.0, 0.89"#))
  }

  @Test func clausesNameEarlierOnes() {
    for (text, hint) in [
      (#"{"tag": "a", "prompt": "b", "include": [{"class": "cow"}]}"#, "it has no `count`"),
      (
        #"{"tag": "a", "prompt": "b", "include": [{"class": "cow", "count": 1, "position": ["below", 0]}]}"#,
        "an earlier clause"
      ), ("[]", "an object was expected"),
    ] {
      #expect {
        try prompt(text)
      } throws: {
        "\($0)".contains(hint)
      }
    }
  }

  private func questions(_ rows: String, header: Int = 1) throws -> DPGQuestions {
    let head =
      "item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,"
      + "tuple,question_natural_language\n"
    let path = NSTemporaryDirectory() + "dpg-\(UUID().uuidString).csv"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data((String(repeating: head, count: header) + rows).utf8)
      .write(to: URL(fileURLWithPath: path))
    return try DPGQuestions(path)
  }

  @Test func dpgIsReadAsPublishedAndCorrected() throws {
    let rows = """
      a,A fox,,1,0,,,entity - whole (fox),Is there a fox?
      a,A fox,,2,"1",,,attribute - color (fox),Is it red?
      b,A cat,,1,2,,,entity - whole (cat),Is there a cat?
      b,A cat,,2,3,,,entity - part (cat),Has it a tail?
      b,A cat,,3,0,,,global - (photo),Is it a photo?

      """
    let single = try questions(rows)
    #expect(single.items.map(\.id) == ["a", "b"] && single.items[0].questions.count == 2)
    #expect(single.item(of: "folder/a.v2.png")?.questions.map(\.number) == [2])
    #expect(try questions(rows, header: 2).item(of: "a.png")?.questions.map(\.number) == [1, 2])
    // Without its first question the published reading cannot score item a.
    let answers = [1: "yes", 2: "yes", 3: "yes"]
    let pictures = ["a.png", "b.png", "c.png"].map {
      DPGSummary.Picture(file: $0, crops: [answers])
    }
    let published = DPGSummary(pictures, single, crops: 1)
    #expect(published.scores.map(\.file) == ["b.png"])
    #expect(published.failures.map(\.failure) == [.noParent(1), .noItem])
    #expect(DPGSummary(pictures, single, crops: 1, .corrected).overall == 1)
    // b's first question is looked at before its parent is taken away.
    let late = [1: "yes", 2: "yes", 3: "Yes"]
    let item = try #require(single.item(of: "b.png"))
    #expect(try DPGScoring.score(item, [late]).score == 1.0 / 3)
    #expect(try DPGScoring.score(item, [late], .corrected).score == 0)
    #expect(published.broadCategories.keys.sorted() == ["entity", "global"])
    #expect(published.categories.keys.sorted() == ["entity - part", "entity - whole", "global -"])
    #expect(throws: DPGScoring.Failure.noAnswer(3, crop: 1)) {
      try DPGScoring.score(item, [answers, [1: "yes", 2: "no"]])
    }
  }

  @Test func geneval2CountsSpellings() {
    let question = GenEval2Prompt.Question(
      text: "How many foxes are in the image?", answer: "three", skill: "count")
    #expect(question.spellings == ["three", "Three", " three", " Three", "3", " 3"])
    let tokens = ["three": 0, "Three": 1, " three": 2, " Three": 3, "3": 4, " 3": 5]
    // All six are equally likely, and as likely as the seventh.
    let answer = GenEval2Answer(
      logits: [Float](repeating: 0, count: 7), spellings: question.spellings,
      firstToken: { tokens[$0]! },
      text: { ["three", "Three", " three", " Three", "3", " ", "no"][$0] })
    #expect(abs(answer.probability - 6.0 / 7) < 1e-7 && answer.isRight(question.spellings))
    #expect(GenEval2Answer(probability: 0, firstToken: "THREE").isRight(question.spellings))
    #expect(!GenEval2Answer(probability: 1, firstToken: " 03").isRight(question.spellings))
    #expect(GenEval2Summary.geometricMean([0.25, 1]) == 0.5)
    #expect(GenEval2Summary.geometricMean([0, 1]) == 0)
  }

  @Test func textsAreComparedAsPublished() {
    #expect(TextCleaning.longText("A\naddCriterion No text recognized.") == "A\naddCriterion ")
    #expect(TextCleaning.all("A\naddCriterion No text recognized.") == "A\n ")
    let score = LongTextScore(
      truth: ["Don't walk", "Old-Town"], reading: "dont OLDTOWN dont　more", .english)
    #expect(score.truth == "dont walk oldtown" && score.reading == "dont oldtown dont more")
    #expect(score.matched == 2 && score.count == 3)
    let chinese = LongTextScore(truth: ["天天向上", "P2"], reading: "向 天 上 p2", .chinese)
    #expect(chinese.matched == 4 && chinese.count == 6)
    #expect(LongTextScore(truth: ["–"], reading: "", .english).recall == nil)
    let picture = OneIGTextScore.Picture(truth: "a bc", reading: "a bd e")
    #expect(picture.editDistance == 3 && picture.matched == 1 && picture.count == 2)
  }

  @Test func intervalsHoldTheFigure() throws {
    let shares = (0..<200).map { Bootstrap.Share(sum: Double($0 % 4 == 0 ? 1 : 0), count: 1) }
    let bootstrap = Bootstrap(shares.count, samples: 400)
    let figure = try #require(BenchmarkScores.Figure("a", shares, bootstrap))
    let (low, high) = (try #require(figure.low), try #require(figure.high))
    // Two standard deviations of a fraction of 1/4 of 200 are 0.061.
    #expect(figure.value == 0.25 && abs(low - 0.19) < 0.015 && abs(high - 0.31) < 0.015)
    let same = BenchmarkScores.Figure("a", meanOf: [shares, shares], bootstrap)
    #expect(same?.low == low && same?.count == 400)
    #expect(BenchmarkScores.Figure("a", [.init()], Bootstrap(1)) == nil)
  }
}
