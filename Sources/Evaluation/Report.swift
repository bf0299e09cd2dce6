import Files
import Flow
import Foundation
import Pipelines
import Runtime
import Tensors

/// The measurements of generators and real pictures, as a table and as JSON.
public struct Report: Codable, Equatable, Sendable {
  /// One measured set of pictures.
  public struct Row: Codable, Equatable, Sendable {
    /// The source of the pictures.
    public var name: String
    /// The steps of the sampler, nil for real pictures.
    public var steps: Int?
    /// The guidance scale; each step takes two evaluations with it.
    public var guidance: Double?
    /// The number of pictures measured; distances of different numbers cannot be compared.
    public var samples: Int
    /// The Fréchet distance of the classifier's features to those of the test set.
    public var distance: Double
    /// The fraction of the pictures classified as the requested class.
    public var accuracy: Double
    /// The seconds to generate one picture, nil for real pictures.
    public var secondsPerImage: Double?
    /// Further measures by the features, nil where there are none.
    public var measures: PictureMeasures?

    /// Makes a row.
    public init(
      name: String, steps: Int? = nil, guidance: Double? = nil, samples: Int, distance: Double,
      accuracy: Double, secondsPerImage: Double? = nil
    ) {
      self.name = name
      self.steps = steps
      self.guidance = guidance
      self.samples = samples
      self.distance = distance
      self.accuracy = accuracy
      self.secondsPerImage = secondsPerImage
    }
  }

  /// The rows in order.
  public var rows: [Row]
  /// The content hash of the weights that were measured, nil where there are several.
  public var weights: String?
  /// What the features are, nil where no measures but distances are by them.
  public var features: String?

  /// Makes a report.
  public init(rows: [Row] = [], weights: String? = nil) {
    self.rows = rows
    self.weights = weights
  }

  /// Reads a report that `write` wrote.
  public init(contentsOf path: String) throws {
    self = try JSONDecoder().decode(
      Report.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// Checks that a file may be replaced by a report: it is missing, empty or a report.
  ///
  /// - Throws: `FileError.otherKind` and `unwritable`.
  public static func checkReplaceable(_ path: String) throws {
    try FileKind.json.checkReplaceable(path)
    guard let old = FileManager.default.contents(atPath: path), !old.isEmpty,
      (try? JSONDecoder().decode(Report.self, from: old)) == nil
    else { return }
    throw FileError.otherKind(path: path, found: "other JSON", expected: "a report")
  }

  /// Writes the report as JSON, atomically.
  public func write(to path: String) throws { try JSONFile.write(self, to: path) }

  /// The report as an aligned table.
  public var table: String {
    let hasMeasures = rows.contains { $0.measures != nil }
    let further = ["kernel", "precision", "recall", "density", "coverage", "diversity"]
    var heads = ["", "steps", "guidance", "samples", "Fréchet distance", "accuracy"]
    if hasMeasures { heads += further }
    let body = rows.map { row in
      var cells = [
        row.name, row.steps.map { "\($0)" } ?? "–",
        row.guidance.map { $0 == 0 ? "–" : String(format: "%.1f", $0) } ?? "–",
        "\(row.samples)", String(format: "%.2f", row.distance),
        String(format: "%.3f", row.accuracy),
      ]
      if hasMeasures {
        let m = row.measures ?? PictureMeasures()
        cells.append(m.kernelDistance.map { String(format: "%.4f", $0) } ?? "–")
        for value in [m.precision, m.recall, m.density, m.coverage, m.diversity] {
          cells.append(value.map { String(format: "%.3f", $0) } ?? "–")
        }
      }
      cells.append(row.secondsPerImage.map { String(format: "%.2f", $0 * 1000) } ?? "–")
      return cells
    }
    heads.append("ms/image")
    return AlignedTable.text([heads] + body)
  }

  /// What a reader of the table must know, a sentence each.
  public var notes: [String] {
    guard let features else { return [] }
    return [
      "Measures are by the \(features): the Fréchet distance to all pictures of the test set, the others "
        + "to as many of them as were made. Diversity is that of a class's pictures."
    ]
  }
}

extension Evaluator {
  /// Measures a network at a number of steps against real statistics.
  ///
  /// - Parameters:
  ///   - guidance: the guidance scale; nil for that of the weights' card.
  ///   - samples: the numbers of pictures, each a row; the smaller sets are subsets of the larger.
  ///   - reference: the measurement of the test set, with features for further measures.
  ///   - compute: the element type that the network computes in.
  ///   - progress: called before every batch with the number of pictures made.
  /// - Throws: `EvaluationError` where the classifier cannot evaluate the network,
  ///   `PipelineError.imagesNotFinite`, the plugin's errors, and what `progress` throws.
  public func rows(
    _ name: String, _ file: ModelFile, settings: SamplerSettings, guidance: Double? = nil,
    samples: [Int], seed: UInt64, reference: Measurement, compute: DType = .float32,
    on engine: Engine,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [Report.Row] {
    let (measured, seconds) = try measure(
      file, settings: settings, guidance: guidance, samples: samples, seed: seed, compute: compute,
      keepsVectors: reference.vectors != nil, on: engine, progress: progress)
    return try measured.map { result in
      var row = Report.Row(
        name: name, steps: settings.count, guidance: guidance ?? file.card.guidance,
        samples: result.features.count,
        distance: try result.features.distance(to: reference.features),
        accuracy: result.accuracy, secondsPerImage: seconds)
      if reference.vectors != nil { row.measures = try measures(of: result, comparedTo: reference) }
      return row
    }
  }

  /// The measures of pictures beside distance and accuracy: by their features the kernel distance to as many
  /// real ones, precision, recall, density, coverage, and the diversity of a class.
  ///
  /// - Parameters:
  ///   - made: a measurement with the features of each picture.
  ///   - classes: the classes of the pictures, of at least as many; nil for those of generated ones.
  ///   - reference: a measurement of real pictures, with the features of each.
  /// - Throws: the plugin's errors.
  public func measures(
    of made: Measurement, classes: [Int]? = nil, comparedTo reference: Measurement
  ) throws -> PictureMeasures {
    guard let features = made.vectors, let real = reference.vectors else {
      preconditionFailure("features are kept for further measures")
    }
    var measures = PictureMeasures()
    let compared = real.chosen(0..<min(features.count, real.count))
    try measures.compareKernels(features, to: compared, on: engine)
    try measures.measureNeighborhoods(features, of: compared, on: engine)
    let requested = self.classes
    let prompts = classes.map { Array($0.prefix(features.count)) }
    measures.diversity =
      Diversity(
        features,
        prompts: prompts
          ?? (0..<features.count).map { Int(requested[$0 % requested.count]) }
      ).mean
    return measures
  }

  /// Measures the pictures of a network, equally many of each class, see `rows`.
  ///
  /// - Parameter keepsVectors: whether the features of each picture are kept.
  /// - Returns: the measurement of each number of pictures, and the seconds that a picture took.
  /// - Throws: as `rows`.
  public func measure(
    _ file: ModelFile, settings: SamplerSettings, guidance: Double? = nil, samples: [Int],
    seed: UInt64, compute: DType = .float32, keepsVectors: Bool = false, on engine: Engine,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> (measurements: [Measurement], secondsPerImage: Double) {
    let guidance = guidance ?? file.card.guidance
    try check(file)
    let generator = try Generator(file, batch: Self.batch, compute: compute, on: engine)
    try generator.prepare(settings, guidance: guidance)
    let clock = ContinuousClock()
    var (making, made) = (Duration.zero, 0)
    let classes = self.classes
    let prompts = classes.map { Prompt.classNumber(Int($0)) }
    let results = try measure(samples, keepsVectors: keepsVectors) { number in
      try progress(number * Self.batch)
      let start = clock.now
      let images = try generator(
        prompts, settings, guidance: guidance, seed: seed, number: number)
      making += clock.now - start
      made += Self.batch
      return Batch(images: images, classes: classes)
    }
    return (results, making / .seconds(1) / Double(max(1, made)))
  }
}

extension ModelFile.Card {
  /// The sampler for a number of steps: the published preset for networks that know target times,
  /// otherwise Euler steps along the flow.
  public func sampler(_ steps: Int) -> SamplerSettings {
    anyStep ? .preset(steps) : .euler(steps)
  }
}
