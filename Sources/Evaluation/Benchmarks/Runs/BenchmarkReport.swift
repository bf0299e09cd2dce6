import Files
import Foundation

/// The scores of several runs, as a table and as JSON.
public struct BenchmarkReport: Codable, Hashable, Sendable {
  /// The scores of the runs, benchmark by benchmark.
  public let runs: [BenchmarkScores]

  /// The name of the file.
  public static let file = "report.json"

  /// Makes a report.
  public init(_ runs: [BenchmarkScores]) {
    let order = Benchmark.allCases
    self.runs = runs.enumerated().sorted { a, b in
      let places = [a, b].map { order.firstIndex(of: $0.element.run.benchmark)! }
      return (places[0], a.offset) < (places[1], b.offset)
    }.map(\.element)
  }

  /// Writes the report as JSON, atomically.
  ///
  /// - Throws: `FileError.unwritable`, `otherKind`.
  public func write(to path: String) throws { try JSONFile.write(self, to: path) }

  /// The runs of each file of prompts, which are compared with each other.
  public var groups: [[BenchmarkScores]] {
    var keys: [String] = []
    var groups: [String: [BenchmarkScores]] = [:]
    for scores in runs {
      let key = "\(scores.run.benchmark.rawValue) \(scores.promptsHash)"
      if groups[key] == nil { keys.append(key) }
      groups[key, default: []].append(scores)
    }
    return keys.map { groups[$0]! }
  }

  /// The names of the figures of some runs, each once.
  public static func names(
    _ group: [BenchmarkScores], _ figures: (BenchmarkScores) -> [BenchmarkScores.Figure]
  ) -> [String] {
    var names: [String] = []
    for figure in group.flatMap(figures) where !names.contains(figure.name) {
      names.append(figure.name)
    }
    return names
  }

  /// A table for each benchmark: a row for each figure, and a column for each run.
  public var table: String {
    groups.map { group in
      let first = group[0]
      let figures = { (scores: BenchmarkScores) in
        [scores.overall] + scores.categories + scores.further
      }
      let rows = Self.names(group, figures).map { name in
        [name]
          + group.map { scores in figures(scores).first { $0.name == name }.map(\.text) ?? "–" }
      }
      let counts = group.map {
        "\($0.pictures.count) of \($0.prompts) prompt\($0.prompts == 1 ? "" : "s")"
      }
      let table = AlignedTable.text(
        [[""] + group.map(\.run.title)] + rows + [["pictures"] + counts])
      return "\(first.run.benchmark.title)\n\(table)"
    }.joined(separator: "\n\n")
  }

  /// What a reader of the table must know, a sentence each.
  public var notes: [String] {
    var notes = ["In brackets: what 95 % of resampled sets of prompts give."]
    func add(_ note: String) { if !notes.contains(note) { notes.append(note) } }
    for scores in runs {
      let others = runs.filter { $0.run.benchmark == scores.run.benchmark }
      let title = scores.run.benchmark.title
      for note in scores.notes {
        // What holds for all runs of a benchmark is said once.
        let isShared = others.allSatisfy { $0.notes.contains(note) }
        add(isShared ? "\(title): \(note)" : "\(title), \(scores.run.title): \(note)")
      }
      let judges = scores.judges.joined(separator: " and ")
      guard !judges.isEmpty else {
        add("\(title), \(scores.run.title): the judge is not named in its file.")
        continue
      }
      let isShared = others.allSatisfy { $0.judges == scores.judges }
      add(
        "\(isShared ? title : "\(title), \(scores.run.title)"): judged by \(judges); the published judge is "
          + "\(scores.run.benchmark.publishedJudge), and figures of different judges are not comparable."
      )
    }
    return notes
  }
}

extension BenchmarkScores.Figure {
  /// The value with its interval.
  public var text: String {
    func number(_ value: Double) -> String { String(format: "%.3f", value) }
    guard let low, let high else { return number(value) }
    return "\(number(value)) [\(number(low)), \(number(high))]"
  }
}
