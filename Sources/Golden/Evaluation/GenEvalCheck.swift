import Evaluation

extension GoldenCase {
  /// The settings of GenEval's runs, by the published names.
  private struct Settings: Decodable {
    struct Run: Decodable {
      let threshold, counting_threshold, max_overlap, position_threshold: Float?
      let max_objects: Int?

      var options: GenEvalRule.Options {
        var options = GenEvalRule.Options()
        if let threshold { options.threshold = threshold }
        if let counting_threshold { options.countingThreshold = counting_threshold }
        if let max_objects { options.mostObjects = max_objects }
        if let max_overlap { options.mostOverlap = max_overlap }
        if let position_threshold { options.positionThreshold = position_threshold }
        return options
      }
    }
    let runs: [String: Run]
  }

  /// The objects of one picture.
  private struct Detected: Decodable {
    let filename: String
    let prompt_index: Int
    let detections: [GenEvalDetection]
  }

  /// A line of the published results.
  private struct Line: Decodable, Equatable {
    let filename, tag, prompt, metadata, details: String
    let correct: Bool
    var reason: String

    /// Two relations come from a set, in any order.
    var settled: Line {
      var settled = self
      settled.reason = reason.split(separator: "\n").map { (line: Substring) -> String in
        let mark = " target, found "
        guard let range = line.firstRange(of: mark), line.hasSuffix(" target") else {
          return String(line)
        }
        let relations = line[range.upperBound...].dropLast(" target".count)
          .split(separator: " and ").sorted()
        return "\(line[..<range.upperBound])\(relations.joined(separator: " and ")) target"
      }.joined(separator: "\n")
      return settled
    }
  }

  /// Judges every picture by the given objects, and compares results and summaries.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func checkGenEval() throws -> [Comparison] {
    let settings: Settings = try settings()
    let prompts = try naming { try GenEvalPrompt.read("\(path)/metadata.jsonl") }
    let pictures: [Detected] = try values("detections.jsonl")
    guard pictures.allSatisfy({ prompts.indices.contains($0.prompt_index) }), !pictures.isEmpty
    else { throw fail("its detections.jsonl names prompts that are not in metadata.jsonl") }
    let classes = try lines(of: "object_names.txt")
    return try settings.runs.sorted { $0.key < $1.key }.flatMap { name, run -> [Comparison] in
      let rule = GenEvalRule(run.options, classNames: classes)
      let results = try pictures.map { picture in
        try rule.judge(prompts[picture.prompt_index], picture.detections) { _, objects in
          try objects.map { object in
            guard let color = object.color else { throw fail("\(picture.filename) has no colors") }
            return color
          }
        }
      }
      let expected: [Line] = try values("expected_\(name)_results.jsonl")
      let texts = zip(results, pictures).map { $0.line(file: $1.filename) }
      let actual = try texts.map { try decoded($0, "result") as Line }
      let published = try lines(of: "expected_\(name)_results.jsonl")
      // Where a reason has two relations its text may be another one.
      let sameReasons = zip(actual, expected).enumerated()
        .filter { $0.element.0.reason == $0.element.1.reason }.map(\.offset)
      let summary = try lines(of: "expected_\(name)_summary.txt")
      let found = GenEvalSummary(results).text.split(separator: "\n").map(String.init)
      return [
        .rows("\(name).results", actual.map(\.settled), expected.map(\.settled)),
        .rows("\(name).lines", sameReasons.map { texts[$0] }, sameReasons.map { published[$0] }),
        .rows("\(name).summary", found, summary),
      ]
    }
  }
}
