import Evaluation

extension GoldenCase {
  private struct Expected: Decodable {
    struct Count: Decodable {
      let accuracy: Double
      let total: Int
    }
    let score: Double
    let per_prompt: [Double]
    let score_lists: [[Double]]?
    let first_tokens: [String]?
    let per_skill: [String: Double]?
    let per_atomicity: [String: Count]?
  }

  /// Computes the answers by the given logits, and compares them and all figures.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func checkGenEval2() throws -> [Comparison] {
    let prompts = try naming { try GenEval2Prompt.read("\(path)/data.jsonl") }
    let tokens: [String: [Int]] = try value("tokens.json")
    let expected: [String: Expected] = try value("expected.json")
    let width = try input("prompt_logits").shape.last ?? 0
    var texts = [String](repeating: "", count: width)
    for (text, ids) in tokens where ids.count == 1 && texts.indices.contains(ids[0]) {
      texts[ids[0]] = text
    }
    let questions = prompts.flatMap(\.questions)
    let atoms = try answers("atom_logits", questions.map(\.spellings), tokens, texts)
    let whole = try answers(
      "prompt_logits", prompts.map { _ in GenEval2Prompt.yes }, tokens, texts)
    let right = zip(atoms, questions).map { $0.isRight($1.spellings) ? 1.0 : 0 }
    func lists(_ scores: [Double]) -> [[Double]] {
      var start = 0
      return prompts.map { prompt in
        defer { start += prompt.questions.count }
        return Array(scores[start..<start + prompt.questions.count])
      }
    }
    let soft = lists(atoms.map(\.probability))
    let floor = { max(1e-12, 10 * (self.config.noiseFloors?[$0] ?? 0)) }
    return try expected.sorted { $0.key < $1.key }.flatMap { method, wanted -> [Comparison] in
      let (scores, answers): ([[Double]], [GenEval2Answer]) =
        switch method {
        case "vqascore": (whole.map { [$0.probability] }, whole)
        case "tifa": (lists(right), atoms)
        case "soft_tifa_am", "soft_tifa_gm": (soft, atoms)
        default: throw fail("its expected.json has \(method), which is not known")
        }
      let isGeometric = method == "soft_tifa_gm"
      let tolerance = method == "tifa" ? 1e-12 : floor("score_lists")
      let perPrompt = scores.map {
        isGeometric
          ? GenEval2Summary.geometricMean($0) : $0.reduce(0, +) / Double($0.count)
      }
      var found: [Comparison] = [
        .numbers("\(method).per_prompt", perPrompt, wanted.per_prompt, within: tolerance),
        .numbers(
          "\(method).score", [100 * perPrompt.reduce(0, +) / Double(perPrompt.count)],
          [wanted.score], within: 100 * max(1e-12, tolerance)),
      ]
      if let wanted = wanted.score_lists {
        found.append(
          .numbers(
            "\(method).score_lists", scores.flatMap { $0 }, wanted.flatMap { $0 },
            within: tolerance))
      }
      if let wanted = wanted.first_tokens {
        found.append(.rows("\(method).first_tokens", answers.map(\.firstToken), wanted))
      }
      guard let skills = wanted.per_skill, let counts = wanted.per_atomicity else { return found }
      let summary = GenEval2Summary(scores, prompts)
      let (names, numbers) = (skills.keys.sorted(), counts.keys.compactMap(Int.init).sorted())
      found += [
        .numbers(
          "\(method).per_skill", names.map { 100 * (summary.perSkill[$0]?.value ?? .nan) },
          names.map { skills[$0]! }, within: 100 * tolerance),
        .numbers(
          "\(method).per_atomicity",
          numbers.map { 100 * (summary.perAtomCount[$0]?.value ?? .nan) },
          numbers.map { counts["\($0)"]!.accuracy }, within: 100 * tolerance),
        .rows(
          "\(method).totals", numbers.map { summary.perAtomCount[$0]?.count ?? 0 },
          numbers.map { counts["\($0)"]!.total }),
      ]
      return found
    }
  }

  private func answers(
    _ name: String, _ spellings: [[String]], _ tokens: [String: [Int]], _ texts: [String]
  ) throws -> [GenEval2Answer] {
    let logits = try input(name, shape: [spellings.count, texts.count])
    for spelling in spellings.joined() {
      guard let first = tokens[spelling]?.first, texts.indices.contains(first) else {
        throw fail("its tokens.json has no \"\(spelling)\"")
      }
    }
    return spellings.enumerated().map { row, spellings in
      GenEval2Answer(
        logits: logits.row(row).values, spellings: spellings, firstToken: { tokens[$0]![0] },
        text: { texts[$0] })
    }
  }
}
