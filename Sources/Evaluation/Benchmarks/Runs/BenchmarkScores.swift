import Foundation

/// The figures of one run of a benchmark, with what was found of every picture.
public struct BenchmarkScores: Codable, Hashable, Sendable {
  /// A figure, 0 to 1 unless its name says otherwise.
  public struct Figure: Codable, Hashable, Sendable {
    /// The name.
    public let name: String
    /// The value.
    public let value: Double
    /// The ends of the interval that holds 95 % of the figures of resampled prompts; nil where it was not
    /// computed.
    public var low: Double?
    /// See `low`.
    public var high: Double?
    /// The number of pictures, questions or prompts, by the benchmark.
    public let count: Int
  }

  /// A picture.
  public struct Picture: Codable, Hashable, Sendable {
    /// The path of its file within the folder of pictures.
    public let file: String
    /// The number within a grid, nil where the file holds one picture.
    public let place: Int?
    /// The name of its prompt.
    public let item: String
    /// The number of its prompt.
    public let number: Int
    /// The prompt.
    public let prompt: String
    /// The category.
    public let category: String
    /// Its score, 0 to 1.
    public let score: Double
    /// What was found.
    public let found: String
    /// What is wrong, empty for nothing.
    public let reason: String
    /// The objects that were found, with their boxes; nil where objects are not looked for.
    public var objects: [GenEvalDetection]?
  }

  /// The run.
  public let run: BenchmarkRun
  /// The hash of the file of prompts.
  public let promptsHash: String
  /// The number of prompts that were scored.
  public let prompts: Int
  /// The judges, as far as they are known.
  public var judges: [String] = []
  /// The benchmark's score.
  public var overall: Figure
  /// The scores by category.
  public var categories: [Figure] = []
  /// Other figures.
  public var further: [Figure] = []
  /// The pictures.
  public var pictures: [Picture] = []
  /// What a reader must know, a sentence each.
  public var notes: [String] = []

  /// The name of the file of a run's scores.
  public static let file = "scores.json"
}

extension BenchmarkRun {
  /// The row in tables: the name, with the steps.
  public var title: String {
    steps.map { "\(name), \($0) step\($0 == 1 ? "" : "s")" } ?? name
  }
}
