import Datasets
import Files
import Foundation

extension BenchmarkScoring {
  /// The scores of GenEval 2.
  func geneval2(
    _ prompts: [GenEval2Prompt], _ files: [BenchmarkLayout.File], _ findings: BenchmarkFindings
  ) throws -> BenchmarkScores {
    let answers = try files.map { file in
      let prompt = prompts[file.item]
      return try findings.value(file.path) { members in
        let answers = try members.list("answers").map { element in
          let own = try JSONMembers(element, "an answer")
          let probability = try own.number("probability")
          guard 0...1.001 ~= probability else {
            throw RowFault("a `probability` is \(probability), which is not within 0 to 1")
          }
          return GenEval2Answer(
            probability: probability,
            firstToken: try own["first_token"] == nil ? "" : own.string("first_token"))
        }
        guard answers.count == prompt.questions.count else {
          throw RowFault(
            "it has \(answers.count) answers, and the prompt \(prompt.questions.count) questions")
        }
        return answers
      }!
    }
    var scores = try geneval2(prompts, files, answers.map { $0.map(\.probability) }) {
      file, place in
      let token = answers[file][place].firstToken
      return token.isEmpty ? "" : ", said \"\(token)\""
    }
    if !findings.judges.isEmpty {
      scores.notes.append(
        findings.judges.allSatisfy(GenEval2Answer.isPublished)
          ? "The judge is the published one by its sizes, those of Qwen3-VL-8B-Instruct."
          : "The judge is not Qwen3-VL-8B-Instruct with its weights as published: figures are comparable only "
            + "with those of the same judge.")
    }
    if answers.joined().allSatisfy({ !$0.firstToken.isEmpty }) {
      let hard = zip(files, answers).map { file, answers in
        zip(answers, prompts[file.item].questions).map { $0.isRight($1.spellings) ? 1.0 : 0 }
      }
      let items = items(of: files)
      let means = zip(files, hard).map { ($0.item, $1.reduce(0, +) / Double($1.count)) }
      scores.further +=
        [
          .init(
            "TIFA, first tokens", shares(items, means) { ($0.0, $0.1, 1) }, Bootstrap(items.count))
        ].compactMap { $0 }
    }
    return scores
  }

  /// The scores of GenEval 2 by the file that the published script writes: a list of numbers for each
  /// prompt.
  func geneval2(_ prompts: [GenEval2Prompt], _ lists: [[Double]]) throws -> BenchmarkScores {
    let first = files.filter { $0.samples.lowerBound == 0 }
    return try geneval2(prompts, first, first.map { lists[$0.item] }) { _, _ in "" }
  }

  /// The lists in a file that the published script wrote; nil for another file.
  func scoreLists(_ path: String, _ prompts: [GenEval2Prompt]) throws -> [[Double]]? {
    let content = try MappedFile.data(path)
    guard content.first(where: { $0 > UInt8(ascii: " ") }) == UInt8(ascii: "[") else { return nil }
    func fail(_ reason: String) -> BenchmarkError {
      .otherFile(path: path, benchmark: set.benchmark.title, reason: reason)
    }
    guard case .array(let lists)? = try? content.withUnsafeBytes({ try JSONReader.read($0) }) else {
      throw fail("it is neither lines of answers nor a list of lists of numbers")
    }
    guard lists.count == prompts.count else {
      throw fail("it has \(lists.count) lists, and there are \(prompts.count) prompts")
    }
    return try zip(lists, prompts).enumerated().map { number, pair in
      guard case .array(let values) = pair.0, case let numbers = values.compactMap(\.double),
        numbers.count == values.count, numbers.count == pair.1.questions.count
      else {
        throw fail(
          "list \(number + 1) does not have \(pair.1.questions.count) numbers, one for each question"
        )
      }
      return numbers
    }
  }

  private func geneval2(
    _ prompts: [GenEval2Prompt], _ files: [BenchmarkLayout.File], _ lists: [[Double]],
    said: (_ file: Int, _ question: Int) -> String
  ) throws -> BenchmarkScores {
    let summary = GenEval2Summary(lists, files.map { prompts[$0.item] })
    let items = items(of: files)
    let bootstrap = Bootstrap(items.count)
    let places = Array(files.indices)
    func mean(_ values: [Double], where isCounted: (GenEval2Prompt) -> Bool = { _ in true })
      -> [Bootstrap.Share]
    {
      shares(items, places) { place in
        isCounted(prompts[files[place].item]) ? (files[place].item, values[place], 1) : nil
      }
    }
    var scores = scores(
      .init("Soft-TIFA, geometric mean", mean(summary.geometric), bootstrap)!, prompts: items.count)
    let skills = GenEval2Prompt.skills.map { skill in
      (
        skill,
        shares(items, places) { place in
          let own = zip(prompts[files[place].item].questions, lists[place])
            .filter { $0.0.skill == skill }.map(\.1)
          return (files[place].item, own.reduce(0, +), Double(own.count))
        }
      )
    }
    scores.categories = skills.compactMap { .init($0, $1, bootstrap) }
    scores.categories += summary.perAtomCount.keys.sorted().compactMap { count in
      .init("\(count) atoms", mean(summary.geometric) { $0.atomCount == count }, bootstrap)
    }
    scores.further = [
      .init("Soft-TIFA, arithmetic mean", mean(summary.arithmetic), bootstrap)
    ].compactMap { $0 }
    scores.notes.append(
      "Skills are arithmetic means over questions, numbers of atoms geometric means over prompts, as "
        + "published.")
    scores.pictures = places.map { place in
      let questions = prompts[files[place].item].questions
      let all = questions.indices.map { number in
        let question = questions[number]
        return (
          lists[place][number],
          "\(String(format: "%.2f", lists[place][number])) \(question.answer): \(question.text)"
            + said(place, number)
        )
      }
      return picture(
        files[place], score: summary.geometric[place],
        found: String(format: "arithmetic mean %.3f", summary.arithmetic[place]),
        reason: all.filter { $0.0 < 0.5 }.map(\.1).joined(separator: "\n"))
    }
    var published = [[Double]?](repeating: nil, count: prompts.count)
    for (file, list) in zip(files, lists) where published[file.item] == nil {
      published[file.item] = list
    }
    if published.allSatisfy({ $0 != nil }) {
      try write(JSONFile.text(published.map { $0! }) + "\n", to: "score_lists.json")
    }
    return scores
  }
}
