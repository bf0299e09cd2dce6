import Files
import Foundation

extension ComparisonReport {
  /// The report as Markdown.
  public var markdown: String {
    let runs = rows.map(\.runs).max() ?? 1
    let spread = runs > 1 ? " Means of \(runs) seeds, ± their standard deviation." : ""
    let unfinished = missing.isEmpty ? "" : " Not measured yet: \(missing.joined(separator: ", "))."
    let floor = real.distance.map { "; that of the same number of real ones is \(Self.number($0))" }
    let realDiversity = real.diversity.map { "; that of real samples is \(Self.number($0))" }
    return [
      "# \(title)",
      "Each method was trained for \(Self.short(evaluations)) network evaluations of one sample, one "
        + "with its gradient counted as three. Figures are of \(samples) samples.\(spread)\(unfinished)",
      "## Distance and accuracy",
      "The \(names.distance)\(floor ?? ""). In brackets: \(names.accuracy).",
      table { score, spread in
        "\(Self.value(score.distance, spread?.distance)) (\(Self.fraction(score.accuracy)))"
      },
      "## Diversity",
      "\(Self.capitalized(names.diversity))\(realDiversity ?? "").",
      table { score, spread in score.diversity.map { Self.value($0, spread?.diversity) } },
      "## Precision and recall",
      "Precision: \(names.precision). Recall: \(names.recall).",
      table { score, _ in
        score.precision.flatMap { precision in
          score.recall.map { "\(Self.fraction(precision)) / \(Self.fraction($0))" }
        }
      },
      "## Cost",
      "Parameters of the generating network, of which some may be frozen, and of the further networks "
        + "that training holds: averages, teachers, networks of the fakes, critics. The memory of a "
        + "training step is that which the compiler has planned.",
      costs,
    ].joined(separator: "\n\n") + "\n"
  }

  /// A table with a cell for each method and number of steps.
  private func table(_ cell: (Scores, Scores?) -> String?) -> String {
    Self.table(
      ["method"] + steps.map { "\($0) step\($0 == 1 ? "" : "s")" },
      rows.map { row in
        [row.name]
          + row.scores.enumerated().map { step, score in
            score.map { cell($0, row.spreads?[step]) ?? "–" } ?? "not finite"
          }
      })
  }

  private var costs: String {
    let count = { (number: Int?) in number.map { Self.short(Double($0)) } ?? "–" }
    return Self.table(
      ["method", "trained", "frozen", "further", "memory", "learning rate", "steps", "s / step"],
      rows.map { row in
        [
          row.name, count(row.parameters?.trained), count(row.parameters?.frozen),
          count(row.parameters?.auxiliary),
          row.memory.map { String(format: "%.0f MB", Double($0) / 1e6) } ?? "–",
          row.learningRate.map(Self.number) ?? "–", "\(row.trainingSteps)",
          row.seconds.map { String(format: "%.3g", $0) } ?? "–",
        ]
      })
  }

  private static func table(_ heads: [String], _ rows: [[String]]) -> String {
    let lines =
      [heads.joined(separator: " | ")]
      + rows.map { row in
        row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ")
      }
    let rule = "|---|" + String(repeating: "---:|", count: heads.count - 1)
    return (["| \(lines[0]) |", rule] + lines.dropFirst().map { "| \($0) |" })
      .joined(separator: "\n")
  }

  private static func value(_ value: Double, _ spread: Double?) -> String {
    number(value) + (spread.map { " ± " + number($0) } ?? "")
  }

  private static func number(_ value: Double) -> String { String(format: "%.3g", value) }

  private static func fraction(_ value: Double) -> String { String(format: "%.3f", value) }

  private static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  private static func short(_ value: Double) -> String {
    switch value {
    case 1e9...: String(format: "%.3g G", value / 1e9)
    case 1e6...: String(format: "%.3g M", value / 1e6)
    case 1e3...: String(format: "%.3g k", value / 1e3)
    default: String(format: "%.0f", value)
    }
  }

  /// Writes `report.json` and `report.md` into a folder.
  ///
  /// - Throws: `FileError.unwritable`.
  public func write(to folder: String) throws {
    try JSONFile.write(self, to: folder + "/report.json")
    try StagedFile.write(Data(markdown.utf8), to: folder + "/report.md", as: .text)
  }
}
