import Datasets
import Files
import Foundation

extension BenchmarkScoring {
  /// The prompts of some files, each once, in the order of the prompts.
  func items(of files: [BenchmarkLayout.File]) -> [Int] { Set(files.map(\.item)).sorted() }

  /// What each of some prompts adds to a fraction.
  func shares<Element>(
    _ items: [Int], _ elements: [Element],
    _ share: (Element) -> (item: Int, sum: Double, count: Double)?
  ) -> [Bootstrap.Share] {
    var shares: [Int: Bootstrap.Share] = [:]
    for element in elements {
      guard let (item, sum, count) = share(element) else { continue }
      shares[item, default: .init()] =
        shares[item, default: .init()] + .init(sum: sum, count: count)
    }
    return items.map { shares[$0] ?? .init() }
  }

  /// The scores of GenEval and emoji-compositions.
  func geneval(
    _ prompts: [GenEvalPrompt], _ files: [BenchmarkLayout.File], _ findings: BenchmarkFindings
  ) throws -> BenchmarkScores {
    let rule = set.benchmark.objectRule
    let known = Set(rule.classNames)
    let results = try files.map { file -> GenEvalResult in
      try findings.value(file.path) { members in
        let detections = try members.list("detections").map { element -> GenEvalDetection in
          let detection = try GenEvalDetection(element)
          guard known.contains(detection.className) else {
            throw RowFault(
              "it has a \"\(detection.className)\", which is not one of the \(known.count) classes of "
                + "the detector")
          }
          return detection
        }
        return try rule.judge(prompts[file.item], detections) { name, objects in
          try objects.map { object in
            guard let color = object.color else {
              throw RowFault("a \(name) has no `color`, and the prompt asks for one")
            }
            return color
          }
        }
      }!
    }
    let summary = GenEvalSummary(results)
    let pairs = Array(zip(files, results))
    let items = items(of: files)
    let bootstrap = Bootstrap(items.count)
    func correct(_ tag: String?) -> [Bootstrap.Share] {
      shares(items, pairs) { file, result in
        tag == nil || result.prompt.tag == tag ? (file.item, result.isCorrect ? 1 : 0, 1) : nil
      }
    }
    let tasks = summary.tasks.map { ($0.tag, correct($0.tag)) }
    var scores = scores(
      .init("overall", meanOf: tasks.map(\.1), bootstrap)!, prompts: items.count)
    scores.categories = tasks.compactMap { .init($0, $1, bootstrap) }
    let anyCorrect = Dictionary(grouping: pairs) { $0.0.item }
      .mapValues { $0.contains { $0.1.isCorrect } }
    scores.further = [
      .init("correct pictures", correct(nil), bootstrap),
      .init(
        "prompts with a correct picture",
        shares(items, items) { ($0, anyCorrect[$0]! ? 1 : 0, 1) }, bootstrap),
    ].compactMap { $0 }
    let heldOut = Set(items.filter { prompts[$0].isHeldOut })
    if !heldOut.isEmpty {
      scores.further += [(true, "held-out combinations"), (false, "combinations of training")]
        .compactMap { isHeldOut, name in
          let shares = shares(items, pairs) { file, result in
            heldOut.contains(file.item) == isHeldOut
              ? (file.item, result.isCorrect ? 1 : 0, 1) : nil
          }
          return .init(name, shares, bootstrap)
        }
    }
    if summary.prompts < items.count {
      scores.notes.append(
        "The published summary counts equal prompts once: \(summary.prompts), of which "
          + "\(summary.correctPrompts) have a correct picture.")
    }
    scores.pictures = pairs.map { file, result in
      let found = result.kept.map { kept in
        let objects = kept.objects.map { object in
          String(format: "%.2f", object.score) + (object.color.map { " \($0)" } ?? "")
        }
        return "\(kept.className) \(objects.joined(separator: ", "))"
      }
      var scored = picture(
        file, score: result.isCorrect ? 1 : 0, found: found.joined(separator: "; "),
        reason: result.reason)
      scored.objects = result.kept.flatMap(\.objects)
      return scored
    }
    try write(
      pairs.map { $1.line(file: "\(pictures)/\($0.path)") }.joined(separator: "\n") + "\n",
      to: "results.jsonl")
    return scores
  }

  /// Writes a file in the form of the published scripts into the run's folder.
  func write(_ text: String, to name: String) throws {
    try StagedFile.write(
      Array(text.utf8), to: "\(folder)/\(name)", as: name.hasSuffix("l") ? .jsonLines : .json)
  }
}
