import Evaluation

extension GoldenCase {
  private struct Settings: Decodable {
    let modes: [LongTextScore.Language]
    let oneig_max_edit_distance: [String: Double]?
  }

  private struct Read: Decodable {
    let image, prompt, raw_ocr: String
    let text: [String]
  }

  private struct Expected: Decodable {
    let cleaned_ocr: [String]
    let score: Double
  }

  private struct Row: Decodable, Equatable {
    let image, prompt, ocr_gt, ocr_results: String
    let match_word_count, gt_word_count: Int
    let text_accuray: Double
  }

  private struct OneIG: Decodable {
    let per_prompt_ED_CR_WAC: [[Double]]
    let ED, CR, WAC, text_score: Double
  }

  /// Scores every reading, and compares the texts, counts and scores.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func checkLongText() throws -> [Comparison] {
    let settings: Settings = try settings()
    let oneIG: [String: OneIG] = try value("expected_oneig_text.json")
    return try settings.modes.flatMap { language -> [Comparison] in
      let mode = language.rawValue
      let pictures: [Read] = try values("ocr_\(mode).jsonl")
      guard !pictures.isEmpty else { throw fail("its ocr_\(mode).jsonl is empty") }
      let expected: Expected = try value("expected_\(mode).json")
      let cleaned = pictures.map { TextCleaning.longText($0.raw_ocr) }
      let scores = zip(pictures, cleaned).map {
        LongTextScore(truth: $0.text, reading: $1, language)
      }
      let rows = zip(pictures, scores).map { picture, score in
        Row(
          image: picture.image, prompt: picture.prompt, ocr_gt: score.truth,
          ocr_results: score.reading, match_word_count: score.matched, gt_word_count: score.count,
          text_accuray: score.recall ?? .nan)
      }
      var found: [Comparison] = [
        // Texts are compared as scalars: to Swift "é" in one and in two is the same.
        .rows(
          "\(mode).cleaned_ocr", cleaned.map { Array($0.unicodeScalars) },
          expected.cleaned_ocr.map { Array($0.unicodeScalars) }),
        .rows("\(mode).results", rows, try values("expected_\(mode)_results.jsonl")),
        .numbers(
          "\(mode).score", [LongTextScore.overall(scores) ?? .nan], [expected.score],
          within: 1e-12),
      ]
      if let wanted = oneIG[mode] {
        found += try compareOneIG(
          pictures, wanted, language,
          mostEdits: settings.oneig_max_edit_distance?[mode]
            ?? OneIGTextScore.mostEdits(language))
      }
      return found
    }
  }

  private func compareOneIG(
    _ pictures: [Read], _ wanted: OneIG, _ language: LongTextScore.Language, mostEdits: Double
  ) throws -> [Comparison] {
    let scores = pictures.map { picture in
      OneIGTextScore.Picture(
        truth: picture.text.joined(separator: " "), reading: TextCleaning.all(picture.raw_ocr))
    }
    var prompts: [(name: String, places: [Int])] = []
    for (place, picture) in pictures.enumerated() {
      if prompts.last?.name == picture.prompt {
        prompts[prompts.count - 1].places.append(place)
      } else {
        prompts.append((picture.prompt, [place]))
      }
    }
    let perPrompt = prompts.flatMap { _, places in
      let own = OneIGTextScore(places.map { scores[$0] })
      let accuracy = places.reduce(0) { $0 + scores[$1].accuracy } / Double(places.count)
      return [own.editDistance, own.completionRate, accuracy]
    }
    let whole = OneIGTextScore(scores)
    let mode = language.rawValue
    return [
      .numbers(
        "\(mode).oneig.per_prompt", perPrompt, wanted.per_prompt_ED_CR_WAC.flatMap { $0 },
        within: 1e-12),
      .numbers(
        "\(mode).oneig.figures",
        [
          whole.editDistance, whole.completionRate, whole.accuracy,
          whole.score(mostEdits: mostEdits),
        ], [wanted.ED, wanted.CR, wanted.WAC, wanted.text_score], within: 1e-12),
    ]
  }
}
