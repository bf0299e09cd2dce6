import Datasets
import Models
import Pictures
import Pipelines
import Runtime

/// Measures pictures that text-to-image models make of prompts, by the features of a network, against
/// the real pictures of these prompts.
public struct PromptEvaluation: Sendable {
  /// What is measured.
  public struct Options: Hashable, Sendable {
    /// The splits, in their order; empty for all.
    public var splits: [String] = []
    /// The most prompts of a split; nil for all.
    public var promptsPerSplit: Int?
    /// The number of pictures of each prompt.
    public var samplesPerPrompt = 1
    /// The seed of the noise, and of the choice of prompts.
    public var seed: UInt64 = 0
    /// The number of pictures that are made together; nil for as many as seems fit.
    public var batch: Int?

    /// Makes the default options.
    public init() {}
  }

  /// The prompts.
  public let set: PromptSet
  /// What is measured.
  public let options: Options
  /// The size of the pictures.
  public let size: ImageSize
  /// The lines that are measured, by split.
  public let chosen: [(split: String, lines: [Int])]
  /// The real pictures of all lines.
  public let real: RealPictures
  let network: any PictureFeatures
  private let engine: Engine

  /// The most pictures of a prompt.
  public static let mostSamples = 1000

  /// Chooses the prompts, and computes the features of all real pictures.
  ///
  /// - Parameters:
  ///   - size: the size of generated pictures, which real ones are brought to.
  ///   - cache: where features of real pictures are looked up, and written to; nil for none.
  ///   - progress: called with the number of pictures read.
  /// - Throws: `EvaluationError` for an unknown split, for a damaged picture, and where there is nothing to
  ///   measure; the plugin's errors.
  public init(
    _ set: PromptSet, _ options: Options = Options(), size: ImageSize,
    by network: any PictureFeatures, on engine: Engine, cache: FeatureCache? = nil,
    progress: (Int) -> Void = { _ in }
  ) throws {
    (self.set, self.options, self.size) = (set, options, size)
    (self.network, self.engine) = (network, engine)
    chosen = try set.chosen(
      splits: options.splits, most: options.promptsPerSplit, seed: options.seed)
    guard options.samplesPerPrompt > 1 || set.lines.contains(where: { $0.picture != nil }) else {
      throw EvaluationError.nothingToMeasure(path: set.path)
    }
    real = try RealPictures(set, size: size, by: network, cache: cache, progress: progress)
  }

  /// The prompts that are measured, which are to be encoded.
  public var prompts: [String] { chosen.flatMap(\.lines).map { set.lines[$0].prompt } }

  /// The number of pictures that a measurement makes.
  public var count: Int { prompts.count * options.samplesPerPrompt }

  /// The seed of a picture's noise: of the line's number in the file and the picture's number alone.
  func seed(line: Int, sample: Int) -> UInt64 {
    options.seed &+ UInt64(line) &* UInt64(Self.mostSamples) &+ UInt64(sample)
  }

  /// What a model's pictures measure, and some of them.
  public struct Result: Sendable {
    /// A row for each split.
    public let rows: [PromptReport.Row]
    /// The pictures that were to be kept, by line.
    public let kept: [Int: [RGBImage]]
  }

  /// Makes the pictures of all chosen prompts, and measures them.
  ///
  /// - Parameters:
  ///   - name: the model's name in the rows.
  ///   - request: the settings of the pictures.
  ///   - kept: the lines whose pictures are to be kept.
  ///   - progress: called with the number of pictures made.
  ///   - see: called with each picture and its prompt.
  /// - Throws: `EvaluationError.otherSize`, the errors of `PromptGeneration`, the plugin's errors, and those
  ///   of `see`.
  public func measure(
    _ generation: PromptGeneration, _ name: String, like request: ImageRequest,
    keeping kept: Set<Int> = [], progress: ((Int) throws -> Void)? = nil,
    see: (RGBImage, String) throws -> Void = { _, _ in }
  ) throws -> Result {
    let samples = options.samplesPerPrompt
    let lines = chosen.flatMap(\.lines).flatMap { line in
      (0..<samples).map { (line: line, sample: $0) }
    }
    let items = lines.map { line, sample in
      PromptGeneration.Item(
        prompt: set.lines[line].prompt, seed: seed(line: line, sample: sample))
    }
    var features = FeatureSet(width: network.width)
    var pictures: [Int: [RGBImage]] = [:]
    let run = try generation(
      items, like: request, batch: options.batch, progress: progress
    ) { range, made in
      guard made[0].width == size.width, made[0].height == size.height else {
        throw EvaluationError.otherSize(
          model: name, found: ImageSize(height: made[0].height, width: made[0].width),
          expected: size)
      }
      features.append(try network.features(of: made).values)
      for (index, picture) in zip(range, made) {
        try see(picture, items[index].prompt)
        guard kept.contains(lines[index].line) else { continue }
        pictures[lines[index].line, default: []].append(picture)
      }
    }
    var start = 0
    let rows = try chosen.map { split, own in
      let count = own.count * samples
      defer { start += count }
      let reference = realPictures(of: split)
      var row = PromptReport.Row(
        name: name, split: split, prompts: own.count, pictures: count,
        realPictures: reference.count)
      (row.steps, row.guidance) = (run.request.schedule.count, run.request.guidance ?? 0)
      row.secondsPerPicture = run.secondsPerPicture
      row.measures = try measures(
        features.chosen(start..<start + count), of: lines[start..<start + count].map(\.line),
        comparedTo: reference)
      return row
    }
    return Result(rows: rows, kept: pictures)
  }

  /// The features of all distinct real pictures of a split, also of those that are not measured.
  private func realPictures(of split: String) -> FeatureSet {
    let numbers = set.lines.indices.filter { set.lines[$0].split == split }
      .compactMap { real.numbers[$0] }
    return real.features.chosen(Set(numbers).sorted())
  }

  /// The measures of the pictures of some lines of one split.
  private func measures(
    _ features: FeatureSet, of lines: [Int], comparedTo reference: FeatureSet
  ) throws -> PictureMeasures {
    var measures = PictureMeasures()
    try measures.retrieve(
      features, own: lines.map { real.numbers[$0] }, among: real.features, on: engine)
    try measures.compare(features, to: reference, on: engine)
    measures.diversity = Diversity(features, prompts: lines).mean
    return measures
  }

  /// The measures of the real pictures themselves: those of one half of a split's pictures against the
  /// other half, chosen at random, and the mean distance between all of them.
  ///
  /// - Throws: the plugin's errors.
  public func referenceRows() throws -> [PromptReport.Row] {
    try chosen.compactMap { split, lines in
      let own = realPictures(of: split)
      guard own.count > 1 else { return nil }
      var random = SplitMix64(options.seed)
      let shuffled = Array(0..<own.count).shuffled(using: &random)
      let half = own.count / 2
      var row = PromptReport.Row(
        name: PromptReport.real, split: split, prompts: lines.count, pictures: half,
        realPictures: half)
      try row.measures.compare(
        own.chosen(shuffled.prefix(half)), to: own.chosen(shuffled.suffix(half)), on: engine)
      row.measures.diversity = own.meanDistance
      return row
    }
  }
}
