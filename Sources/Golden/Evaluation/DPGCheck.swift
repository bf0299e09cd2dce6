import Evaluation

extension GoldenCase {
  private struct Settings: Decodable {
    struct Run: Decodable {
      let csv: String
      let pic_num: Int
    }
    let runs: [String: Run]
  }

  private struct Answered: Decodable {
    let file: String
    let crops: [[String: String]]
  }

  private struct Expected: Decodable {
    struct Item: Decodable {
      let crops: [Double]
      let score: Double
    }
    let items: [String: Item]
    let L1, L2: [String: Double]
    let overall: Double
    let failed: [String]
  }

  /// Scores every picture by the given answers, and compares crops, items, categories and the mean.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func checkDPG() throws -> [Comparison] {
    let settings: Settings = try settings()
    let expected: [String: Expected] = try value("expected.json")
    let pictures = try values("answers.jsonl", Answered.self).map { answered in
      try DPGSummary.Picture(
        file: answered.file,
        crops: answered.crops.map { crop in
          try Dictionary(
            crop.map { key, answer in
              guard let number = Int(key) else { throw fail("an answer is to question \(key)") }
              return (number, answer)
            }
          ) { $1 }
        })
    }
    return try settings.runs.sorted { $0.key < $1.key }.flatMap { name, run -> [Comparison] in
      guard let wanted = expected[name] else { throw fail("its expected.json has no \(name)") }
      let questions = try naming { try DPGQuestions("\(path)/\(run.csv)") }
      let found = DPGSummary(pictures, questions, crops: run.pic_num)
      let items = Dictionary(
        wanted.items.map { (String($0.key.split(separator: "/").last ?? ""), $0.value) }
      ) { $1 }
      let files = found.scores.map(\.file)
      // Other files in the folder fail as well; a line is a name with the reason behind it.
      let failed = wanted.failed.compactMap { line in
        pictures.first { line.hasPrefix("\($0.file) ") }?.file
      }
      func percent(_ categories: [String: DPGSummary.Category], _ names: [String]) -> [Double] {
        names.map { categories[$0].map { 100 * $0.score } ?? .nan }
      }
      let (broad, fine) = (wanted.L1.keys.sorted(), wanted.L2.keys.sorted())
      let places = files.filter { items[$0] != nil }
      let scores = found.scores.filter { items[$0.file] != nil }.map(\.score)
      var compared: [Comparison] = []
      compared.append(.rows("\(name).items", files.sorted(), items.keys.sorted()))
      compared.append(
        .rows(
          "\(name).failed", found.failures.map(\.file).sorted(),
          failed.sorted()))
      compared.append(
        .numbers(
          "\(name).crops", scores.flatMap(\.crops), places.flatMap { items[$0]!.crops },
          within: 1e-12))
      compared.append(
        .numbers(
          "\(name).scores", scores.map(\.score), places.map { items[$0]!.score }, within: 1e-12))
      compared.append(.rows("\(name).L1 names", found.broadCategories.keys.sorted(), broad))
      compared.append(.rows("\(name).L2 names", found.categories.keys.sorted(), fine))
      compared.append(
        .numbers(
          "\(name).L1", percent(found.broadCategories, broad), broad.map { wanted.L1[$0]! },
          within: 1e-10))
      compared.append(
        .numbers(
          "\(name).L2", percent(found.categories, fine), fine.map { wanted.L2[$0]! },
          within: 1e-10))
      compared.append(
        .numbers(
          "\(name).overall", [100 * (found.overall ?? .nan)], [wanted.overall], within: 1e-10))
      return compared
    }
  }
}
