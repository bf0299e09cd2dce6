import Datasets
import Files

extension BenchmarkScoring {
  /// The scores of DPG-Bench.
  func dpg(
    _ questions: DPGQuestions, _ files: [BenchmarkLayout.File], _ findings: BenchmarkFindings
  ) throws -> BenchmarkScores {
    let count = run.picturesPerPrompt
    let answered = try files.map { file in
      try findings.value(file.path) { members in
        DPGSummary.Picture(file: file.path, crops: try Self.crops(members, count))
      }!
    }
    let summaries = DPGQuestions.Reading.allCases.map { reading in
      (reading, DPGSummary(answered, questions, crops: count, reading))
    }
    let (published, corrected) = (summaries[0].1, summaries[1].1)
    for (file, failure) in published.failures {
      guard case .noAnswer = failure else { continue }
      throw BenchmarkError.damagedLine(
        path: findings.path, line: findings.lines[file]!.number, reason: failure.reason)
    }
    let items = items(of: files)
    let bootstrap = Bootstrap(items.count)
    let numbers = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0.item) })
    func mean(_ summary: DPGSummary) -> [Bootstrap.Share] {
      shares(items, summary.scores) { (numbers[$0.file]!, $0.score.score, 1) }
    }
    func answers(_ summary: DPGSummary, _ category: String) -> [Bootstrap.Share] {
      shares(items, summary.scores) { score in
        let own = score.score.answers.filter {
          DPGQuestions.Question.broad($0.category) == category
        }
        return (numbers[score.file]!, Double(own.count(where: \.isYes)), Double(own.count))
      }
    }
    guard let overall = BenchmarkScores.Figure("overall", mean(published), bootstrap) else {
      throw BenchmarkError.otherFile(
        path: questions.path, benchmark: set.benchmark.title,
        reason: "by the published reading none of the pictures has a score")
    }
    var scores = scores(overall, prompts: items.count)
    scores.categories = published.broadCategories.keys.sorted().compactMap {
      .init($0, answers(published, $0), bootstrap)
    }
    // Answers that the published code asked for may lack those of the first row.
    if corrected.failures.isEmpty {
      scores.further = [
        .init("overall, every question in its order", mean(corrected), bootstrap)
      ].compactMap { $0 }
      scores.notes.append(
        "The published code passes over the first row of the questions, looks at parents in the order of "
          + "the questions, and takes categories from the last crop alone; \"every question in its order\" "
          + "does not.")
    }
    if !published.failures.isEmpty {
      let names = published.failures.map(\.file).joined(separator: ", ")
      scores.notes.append("By the published reading these pictures have no score: \(names).")
    }
    let scored = corrected.failures.isEmpty ? corrected : published
    let byFile = Dictionary(uniqueKeysWithValues: scored.scores.map { ($0.file, $0.score) })
    scores.pictures = files.indices.flatMap { place -> [BenchmarkScores.Picture] in
      let file = files[place]
      guard let score = byFile[file.path] else { return [] }
      let own = questions.items[file.item].questions
      return score.crops.indices.map { crop in
        let answers = answered[place].crops[crop]
        let wrong = own.filter { answers[$0.number] != "yes" }
        return picture(
          file, place: count > 1 ? crop : nil, score: score.crops[crop],
          found: "\(own.count - wrong.count) of \(own.count) answered with yes",
          reason: wrong.map { "\(answers[$0.number] ?? "–"): \($0.text)" }.joined(separator: "\n"))
      }
    }
    return scores
  }

  /// The answers about a picture by crop and question.
  private static func crops(_ members: JSONMembers, _ count: Int) throws -> [[Int: String]] {
    let crops = try members.list("crops").map { crop in
      let answers = try JSONMembers(crop, "a crop")
      var own: [Int: String] = [:]
      for key in answers.keys {
        guard let number = Int(key) else { throw RowFault("\"\(key)\" is not a question's number") }
        own[number] = try answers.string(key)
      }
      return own
    }
    guard crops.count >= count else {
      throw RowFault("it has the answers of \(crops.count) crops, and \(count) are expected")
    }
    return crops
  }
}
