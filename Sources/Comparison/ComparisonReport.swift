import Files
import Foundation

/// What a comparison has measured.
public struct ComparisonReport: Codable, Sendable {
  /// What it is called.
  public let title: String
  /// What the distance is called.
  public let distance: String
  /// What the second figure is.
  public let accuracy: String
  /// The distance of as many real samples.
  public let floor: Double
  /// How many samples each figure is of.
  public let samples: Int
  /// Network evaluations of one sample that each method could make.
  public let evaluations: Double
  /// The numbers of steps that were measured.
  public let steps: [Int]
  /// The base model, if there is one of this comparison's own, and the methods.
  public internal(set) var rows: [Row] = []

  /// One trained network.
  public struct Row: Codable, Sendable {
    /// The method.
    public let name: String
    /// Steps of training.
    public let trainingSteps: Int
    /// Network evaluations of one sample in a step of training.
    public let evaluations: Double
    /// The median of the seconds that a step of training took, nil if they were not counted.
    public let seconds: Double?
    /// The bytes that a step of training needs at once, by the compiler's plan.
    public let memory: Int?
    /// Parameters that are trained, that are frozen, and those of further networks.
    public let parameters: Parameters
    /// The distance by the number of sampling steps.
    public let distances: [Double]
    /// The second figure by the number of sampling steps.
    public let accuracies: [Double]

    /// The same figures under another name.
    func named(_ name: String) -> Row {
      Row(
        name: name, trainingSteps: trainingSteps, evaluations: evaluations, seconds: seconds,
        memory: memory, parameters: parameters, distances: distances, accuracies: accuracies)
    }
  }

  /// Numbers of parameters.
  public struct Parameters: Codable, Sendable {
    /// Those that are trained and then generate.
    public let trained: Int
    /// Those of the network that generates which stay as they are.
    public let frozen: Int
    /// Those of further networks: averages and initial networks that are targets, teachers, fakes.
    public let auxiliary: Int
  }

  /// The report as Markdown.
  public var markdown: String {
    var lines = [
      "# \(title)", "",
      "Each method was trained for \(Self.short(evaluations)) network evaluations of one sample, one "
        + "with its gradient counted as three. Figures are the \(distance) of \(samples) samples; "
        + "that of as many real ones is \(Self.number(floor)).", "",
    ]
    let heads =
      ["method"] + steps.map { "\($0) step\($0 == 1 ? "" : "s")" } + [
        "trained", "frozen", "auxiliary", "memory", "steps", "s / step",
      ]
    lines.append("| " + heads.joined(separator: " | ") + " |")
    lines.append("|---|" + String(repeating: "---:|", count: heads.count - 1))
    for row in rows {
      let marks = steps.indices.map { i in
        Self.number(row.distances[i]) + String(format: " (%.3f)", row.accuracies[i])
      }
      let facts = [
        Self.short(Double(row.parameters.trained)), Self.short(Double(row.parameters.frozen)),
        Self.short(Double(row.parameters.auxiliary)),
        row.memory.map { String(format: "%.0f MB", Double($0) / 1e6) } ?? "–",
        "\(row.trainingSteps)", row.seconds.map { String(format: "%.3g", $0) } ?? "–",
      ]
      lines.append(
        "| " + ([row.name.replacing("|", with: "\\|")] + marks + facts).joined(separator: " | ")
          + " |")
    }
    lines += ["", "In brackets: \(accuracy)."]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func number(_ value: Double) -> String { String(format: "%.3g", value) }

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
