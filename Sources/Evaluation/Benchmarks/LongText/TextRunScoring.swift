import Datasets
import Files
import Foundation

extension BenchmarkScoring {
  /// The scores of LongText-Bench.
  func longText(
    _ prompts: [LongTextPrompt], _ language: LongTextScore.Language,
    _ files: [BenchmarkLayout.File], _ findings: BenchmarkFindings
  ) throws -> BenchmarkScores {
    let texts = try files.map { try findings.value($0.path, Self.text)! }
    func scored(_ clean: (String) -> String) -> [LongTextScore] {
      zip(files, texts).map {
        LongTextScore(truth: prompts[$0.item].texts, reading: clean($1), language)
      }
    }
    let own = scored(TextCleaning.longText)
    if let empty = zip(files, own).first(where: { $1.count == 0 }) {
      throw BenchmarkError.otherFile(
        path: set.path, benchmark: set.benchmark.title,
        reason: "prompt \(set.items[empty.0.item].id) has no text that is compared")
    }
    let items = items(of: files)
    let bootstrap = Bootstrap(items.count)
    func recall(_ scores: [LongTextScore], _ category: String? = nil) -> [Bootstrap.Share] {
      shares(items, Array(zip(files, scores))) { file, score in
        category == nil || set.items[file.item].category == category
          ? (file.item, Double(score.matched), Double(score.count)) : nil
      }
    }
    let unit = language == .english ? "words" : "characters"
    var scores = scores(.init("text score, \(unit)", recall(own), bootstrap)!, prompts: items.count)
    var categories: [String] = []
    for item in items where !categories.contains(set.items[item].category) {
      categories.append(set.items[item].category)
    }
    scores.categories = categories.compactMap { .init($0, recall(own, $0), bootstrap) }
    scores.further = [
      .init(
        "text score, readers' remarks removed", recall(scored(TextCleaning.all)), bootstrap)
    ].compactMap { $0 }
    scores.notes.append(
      "The published code means to remove two remarks of readers and removes one of them; the other figure "
        + "is without both.")
    scores.pictures = zip(zip(files, texts), own).map { pair, score in
      picture(
        pair.0, score: score.recall!, found: pair.1,
        reason: score.matched == score.count
          ? "" : "\(score.matched) of \(score.count) \(unit) of: \(score.truth)")
    }
    return scores
  }

  /// The text scores of OneIG-Bench.
  func oneIG(
    _ prompts: OneIGPrompts, _ truths: [String: String], _ files: [BenchmarkLayout.File],
    _ findings: BenchmarkFindings
  ) throws -> BenchmarkScores {
    guard !files.isEmpty else {
      throw BenchmarkError.otherFile(
        path: set.path, benchmark: set.benchmark.title,
        reason:
          "its texts are scored, and there is no text_content.csv beside it, which OneIG-Bench has in "
          + "scripts/text")
    }
    let count = run.picturesPerPrompt
    let texts = try files.map { file in
      try findings.value(file.path) { members -> [String] in
        let texts = try members.list("texts").map { element -> String in
          guard case .string(let text) = element else {
            throw RowFault("its `texts` are not texts")
          }
          return text
        }
        guard texts.count == count else {
          throw RowFault("it has \(texts.count) texts, and the file \(count) pictures")
        }
        return texts
      }!
    }
    let own = zip(files, texts).map { file, texts in
      texts.map { text in
        OneIGTextScore.Picture(
          truth: truths[prompts.prompts[file.item].id]!, reading: TextCleaning.all(text))
      }
    }
    let most = OneIGTextScore.mostEdits(prompts.language)
    let whole = OneIGTextScore(own.flatMap { $0 })
    let bootstrap = Bootstrap(files.count)
    let interval = bootstrap.interval { sample in
      OneIGTextScore(sample.flatMap { own[$0] }).score(mostEdits: most)
    }
    func figure(_ name: String, _ value: Double) -> BenchmarkScores.Figure {
      .init(name: name, value: value, count: files.count * count)
    }
    var overall = figure("text score", whole.score(mostEdits: most))
    (overall.low, overall.high) = (interval?.low, interval?.high)
    var scores = scores(overall, prompts: files.count)
    scores.further = [
      figure("edit distance, characters", whole.editDistance),
      figure("texts without a mistake", whole.completionRate), figure("words", whole.accuracy),
    ]
    scores.pictures = files.indices.flatMap { place in
      own[place].indices.map { sample in
        let score = own[place][sample]
        return picture(
          files[place], place: count > 1 ? sample : nil, score: score.accuracy,
          found: texts[place][sample],
          reason: score.editDistance == 0 ? "" : "edit distance \(score.editDistance)")
      }
    }
    return scores
  }

  /// A reading, by the names that published files have for it.
  private static func text(_ members: JSONMembers) throws -> String {
    guard case .string(let text)? = members.first(of: ["raw_ocr", "ocr_results", "text"]) else {
      throw RowFault("it has no `text`")
    }
    return text
  }
}
