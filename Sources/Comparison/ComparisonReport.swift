import Files
import Foundation

/// The results of a comparison.
public struct ComparisonReport: Codable, Sendable {
  /// The title.
  public let title: String
  /// The name of the distance.
  public let distance: String
  /// The meaning of the second figure.
  public let accuracy: String
  /// The distance of the same number of real samples.
  public let floor: Double
  /// The number of samples behind each figure.
  public let samples: Int
  /// The training budget of each method in network evaluations of one sample.
  public let evaluations: Double
  /// The numbers of steps that were measured.
  public let steps: [Int]
  /// The rows: the base model, if the comparison trains one, and the methods.
  public internal(set) var rows: [Row] = []

  /// One trained network.
  public struct Row: Codable, Sendable {
    /// The method.
    public let name: String
    /// Training steps.
    public let trainingSteps: Int
    /// The learning rate.
    public let learningRate: Double
    /// Network evaluations of one sample in a training step.
    public let evaluations: Double
    /// The median seconds of a training step, nil if they were not measured.
    public let seconds: Double?
    /// The peak memory of a training step in bytes, as planned by the compiler.
    public let memory: Int?
    /// The numbers of parameters.
    public let parameters: Parameters
    /// The distances, one for each number of sampling steps.
    public let distances: [Double]
    /// The second figures, one for each number of sampling steps.
    public let accuracies: [Double]
    /// The number of runs, with a seed each, of which the figures are means.
    public var runs = 1
    /// The standard deviations of the distances over the runs; nil for one run.
    public var spreads: [Double]?

    /// The same figures under another name.
    func named(_ name: String) -> Row {
      Row(
        name: name, trainingSteps: trainingSteps, learningRate: learningRate,
        evaluations: evaluations, seconds: seconds, memory: memory, parameters: parameters,
        distances: distances, accuracies: accuracies)
    }

    /// One run.
    init(
      name: String, trainingSteps: Int, learningRate: Double, evaluations: Double,
      seconds: Double?, memory: Int?, parameters: Parameters, distances: [Double],
      accuracies: [Double]
    ) {
      (self.name, self.trainingSteps, self.learningRate) = (name, trainingSteps, learningRate)
      (self.evaluations, self.seconds, self.memory) = (evaluations, seconds, memory)
      (self.parameters, self.distances, self.accuracies) = (parameters, distances, accuracies)
    }

    /// The means of runs that differ in the seed.
    init(_ name: String, _ rows: [Row]) {
      let first = rows[0]
      func means(_ values: (Row) -> [Double]) -> [Double] {
        first.distances.indices.map { i in
          rows.reduce(0) { $0 + values($1)[i] } / Double(rows.count)
        }
      }
      let distances = means(\.distances)
      self.init(
        name: name, trainingSteps: first.trainingSteps, learningRate: first.learningRate,
        evaluations: first.evaluations, seconds: first.seconds, memory: first.memory,
        parameters: first.parameters, distances: distances, accuracies: means(\.accuracies))
      guard rows.count > 1 else { return }
      runs = rows.count
      spreads = distances.indices.map { i in
        let squares = rows.reduce(0) { sum, row in
          sum + (row.distances[i] - distances[i]) * (row.distances[i] - distances[i])
        }
        return (squares / Double(rows.count - 1)).squareRoot()
      }
    }
  }

  /// The numbers of parameters of a method.
  public struct Parameters: Codable, Sendable {
    /// Trained parameters of the generating network.
    public let trained: Int
    /// Frozen parameters of the generating network.
    public let frozen: Int
    /// Parameters of further networks: target averages, initial networks, teachers, fakes.
    public let auxiliary: Int
  }

  /// The report as Markdown.
  public var markdown: String {
    var lines = [
      "# \(title)", "",
      "Each method was trained for \(Self.short(evaluations)) network evaluations of one sample, one "
        + "with its gradient counted as three. Figures are the \(distance) of \(samples) samples; "
        + "that of the same number of real ones is \(Self.number(floor)).", "",
    ]
    let heads =
      ["method"] + steps.map { "\($0) step\($0 == 1 ? "" : "s")" } + [
        "trained", "frozen", "auxiliary", "memory", "rate", "steps", "s / step",
      ]
    lines.append("| " + heads.joined(separator: " | ") + " |")
    lines.append("|---|" + String(repeating: "---:|", count: heads.count - 1))
    for row in rows {
      let cells = steps.indices.map { i in
        Self.number(row.distances[i]) + (row.spreads.map { " ± " + Self.number($0[i]) } ?? "")
          + String(format: " (%.3f)", row.accuracies[i])
      }
      let facts = [
        Self.short(Double(row.parameters.trained)), Self.short(Double(row.parameters.frozen)),
        Self.short(Double(row.parameters.auxiliary)),
        row.memory.map { String(format: "%.0f MB", Double($0) / 1e6) } ?? "–",
        Self.number(row.learningRate), "\(row.trainingSteps)",
        row.seconds.map { String(format: "%.3g", $0) } ?? "–",
      ]
      lines.append(
        "| " + ([row.name.replacing("|", with: "\\|")] + cells + facts).joined(separator: " | ")
          + " |")
    }
    let runs = rows.map(\.runs).max() ?? 1
    let spread = runs > 1 ? " Means of \(runs) seeds, ± their standard deviation." : ""
    lines += ["", "In brackets: \(accuracy).\(spread)"]
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
