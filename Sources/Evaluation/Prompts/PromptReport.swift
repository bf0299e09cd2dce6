import Files
import Foundation
import Models

/// The measures of text-to-image models on prompts, as a table and as JSON.
public struct PromptReport: Codable, Equatable, Sendable {
  /// One measured set of pictures.
  public struct Row: Codable, Equatable, Sendable {
    /// The source of the pictures.
    public var name: String
    /// The split of their prompts.
    public var split: String
    /// The steps of the sampler, nil for real pictures.
    public var steps: Int?
    /// The scale of guidance, 0 for none; nil for real pictures.
    public var guidance: Double?
    /// The number of prompts.
    public var prompts: Int
    /// The number of pictures measured; distances of different numbers cannot be compared.
    public var pictures: Int
    /// The number of real pictures that they were compared with.
    public var realPictures: Int
    /// What was measured.
    public var measures = PictureMeasures()
    /// The seconds to make one picture, nil for real pictures.
    public var secondsPerPicture: Double?

    /// Makes a row without measures.
    public init(name: String, split: String, prompts: Int, pictures: Int, realPictures: Int) {
      (self.name, self.split, self.prompts) = (name, split, prompts)
      (self.pictures, self.realPictures) = (pictures, realPictures)
    }
  }

  /// How a model compares with another one, the base, on a split.
  public struct Comparison: Codable, Equatable, Sendable {
    /// The split.
    public var split: String
    /// The model, and its steps.
    public var name: String
    /// The model's steps.
    public var steps: Int
    /// The base model.
    public var base: String
    /// The base model's steps.
    public var baseSteps: Int
    /// The model's top 1 over that of the base; nil where either is unknown or the base's is 0.
    public var top1Kept: Double?
    /// The model's top 5 over that of the base.
    public var top5Kept: Double?
    /// The model's diversity over that of the base.
    public var diversityKept: Double?
  }

  /// The name of rows of real pictures.
  static let real = "real pictures"

  /// The network whose features are compared.
  public private(set) var features: String
  /// The number of features.
  public private(set) var featureCount: Int
  /// The hash of the file of prompts.
  public var prompts: String
  /// The number of distinct real pictures that retrieval chooses among.
  public var gallery: Int
  /// The pictures of each prompt.
  public var samplesPerPrompt: Int
  /// The most prompts of a split, nil for all.
  public var promptsPerSplit: Int?
  /// The seed.
  public var seed: UInt64
  /// The width and height of the pictures.
  public var size: [Int]
  /// The hashes of the models' transformers, by the models' names.
  public var models: [String: String] = [:]
  /// The rows in order.
  public var rows: [Row] = []
  /// The comparisons with a base model.
  public var comparisons: [Comparison] = []

  /// Makes a report without rows.
  public init(_ evaluation: PromptEvaluation) {
    (features, featureCount) = (evaluation.network.name, evaluation.network.width)
    (prompts, gallery) = (evaluation.set.hash, evaluation.real.features.count)
    (samplesPerPrompt, promptsPerSplit) = (
      evaluation.options.samplesPerPrompt, evaluation.options.promptsPerSplit
    )
    (seed, size) = (evaluation.options.seed, [evaluation.size.width, evaluation.size.height])
  }

  /// Adds rows of a base model, and compares those of generated pictures that are there with them.
  public mutating func compare(with base: [Row]) {
    comparisons = rows.compactMap { row in
      guard let steps = row.steps, let other = base.first(where: { $0.split == row.split }),
        let baseSteps = other.steps
      else { return nil }
      func ratio(_ figure: KeyPath<PictureMeasures, Double?>) -> Double? {
        guard let own = row.measures[keyPath: figure], let its = other.measures[keyPath: figure],
          its > 0
        else { return nil }
        return own / its
      }
      return Comparison(
        split: row.split, name: row.name, steps: steps, base: other.name, baseSteps: baseSteps,
        top1Kept: ratio(\.top1), top5Kept: ratio(\.top5), diversityKept: ratio(\.diversity))
    }
    rows += base
  }

  /// The rows of a base model that a report has measured as this one measures.
  ///
  /// - Parameters:
  ///   - path: the file of the report.
  ///   - guidance: the scale of guidance; nil for any.
  /// - Throws: `FileError.unreadable`, `EvaluationError.otherReport`.
  public func rows(
    ofBaseIn path: String, steps: Int, guidance: Double?
  ) throws -> [Row] {
    func fail(_ reason: String) -> EvaluationError { .otherReport(path: path, reason: reason) }
    let file = try MappedFile(path)
    guard let other = try? JSONDecoder().decode(PromptReport.self, from: Data(file.bytes)) else {
      throw fail("it is not a report of an evaluation on prompts")
    }
    func text(_ most: Int?) -> String { most.map(String.init) ?? "all" }
    let differences = [
      (other.features == features, "its features are of \(other.features)"),
      (other.prompts == prompts, "its prompts are of another file"),
      (other.size == size, "its pictures have \(other.size[0]) × \(other.size[1]) pixels"),
      (
        other.samplesPerPrompt == samplesPerPrompt,
        "--samples-per-prompt was \(other.samplesPerPrompt)"
      ),
      (
        other.promptsPerSplit == promptsPerSplit,
        "--prompts-per-split was \(text(other.promptsPerSplit))"
      ),
      (other.seed == seed, "--seed was \(other.seed)"),
    ]
    if let (_, reason) = differences.first(where: { !$0.0 }) { throw fail(reason) }
    let found = other.rows.filter { row in
      row.steps == steps && (guidance == nil || row.guidance == guidance)
    }
    guard let first = found.first else {
      throw fail("it has no model in \(steps) step\(steps == 1 ? "" : "s") with this guidance")
    }
    return found.filter { $0.name == first.name && $0.guidance == first.guidance }
  }

  /// Checks that a file may be replaced by a report: it is missing, empty or a report.
  ///
  /// - Throws: `FileError.otherKind` and `unwritable`.
  public static func checkReplaceable(_ path: String) throws {
    try FileKind.json.checkReplaceable(path)
    guard let old = FileManager.default.contents(atPath: path), !old.isEmpty,
      (try? JSONDecoder().decode(PromptReport.self, from: old)) == nil
    else { return }
    throw FileError.otherKind(path: path, found: "other JSON", expected: "a report")
  }

  /// Writes the report as JSON, atomically.
  public func write(to path: String) throws { try JSONFile.write(self, to: path) }
}

extension PromptReport {
  /// The rows as an aligned table, split by split.
  public var table: String {
    let heads = [
      "", "", "steps", "guidance", "pictures", "real", "top 1", "top 5", "Fréchet", "kernel",
      "precision", "recall", "density", "coverage", "diversity", "ms/picture",
    ]
    var order: [String] = []
    for row in rows where !order.contains(row.split) { order.append(row.split) }
    let sorted = order.flatMap { split in rows.filter { $0.split == split } }
    let body = sorted.map { row in
      let m = row.measures
      return [
        row.split, row.name, row.steps.map { "\($0)" } ?? "–",
        row.guidance.map { $0 == 0 ? "–" : String(format: "%.1f", $0) } ?? "–", "\(row.pictures)",
        "\(row.realPictures)",
      ] + [m.top1, m.top5].map(Self.percent)
        + [Self.number(m.frechetDistance, 2), Self.number(m.kernelDistance, 4)]
        + [m.precision, m.recall, m.density, m.coverage, m.diversity].map { Self.number($0, 3) }
        + [Self.number(row.secondsPerPicture.map { $0 * 1000 }, 1)]
    }
    return AlignedTable.text([heads] + body, left: 2)
  }

  /// The comparisons as an aligned table; nil without any.
  public var comparisonTable: String? {
    guard let first = comparisons.first else { return nil }
    let heads = ["", "", "steps", "top 1 kept", "top 5 kept", "diversity kept"]
    let body = comparisons.map { row in
      [row.split, row.name, "\(row.steps)"]
        + [row.top1Kept, row.top5Kept, row.diversityKept].map(Self.percent)
    }
    let steps = first.baseSteps == 1 ? "step" : "steps"
    return "Of \(first.base) in \(first.baseSteps) \(steps):\n"
      + AlignedTable.text([heads] + body, left: 2)
  }

  /// What a reader of the table must know, a sentence each.
  public var notes: [String] {
    var notes = [
      "Features are those of \(features), \(featureCount) of each picture: distances are not "
        + "comparable with published ones, which are by Inception's, nor with each other for other "
        + "numbers of pictures.",
      "Retrieval is among the \(gallery) distinct real pictures of all splits.",
    ]
    let least = rows.compactMap { $0.measures.frechetDistance == nil ? nil : $0.pictures }.min()
    if let least, least <= featureCount {
      notes.append(
        "Covariances of fewer pictures than features are singular, here of \(least) and more: the "
          + "Fréchet distance is then far above that of many pictures.")
    }
    if samplesPerPrompt == 1 {
      notes.append(
        "The diversity of a prompt's pictures needs several of them: --samples-per-prompt 2 or more."
      )
    }
    return notes
  }

  private static func percent(_ value: Double?) -> String {
    value.map { String(format: "%.1f %%", 100 * $0) } ?? "–"
  }

  private static func number(_ value: Double?, _ digits: Int) -> String {
    value.map { String(format: "%.\(digits)f", $0) } ?? "–"
  }
}
