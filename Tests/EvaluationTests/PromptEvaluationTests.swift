import Files
import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import TestSupport
import Testing

@testable import Evaluation

/// Measuring a small text-to-image model on prompts, by features with weights of a formula.
@Suite(.serialized) struct PromptEvaluationTests {
  private let files: PromptFiles
  private let network: EfficientNetFeatures
  private let size = ImageSize(height: 16, width: 16)

  private static let network = Result {
    let folder = try TemporaryFolder()
    let weights = "\(folder.path)/lite0.safetensors"
    try FeatureWeights.write(to: weights)
    return try EfficientNetFeatures(weights: weights, on: SharedEngine.get())
  }

  init() throws {
    files = try PromptFiles()
    network = try Self.network.get()
  }

  private func evaluation(
    _ change: (inout PromptEvaluation.Options) -> Void = { _ in }
  ) throws -> PromptEvaluation {
    var options = PromptEvaluation.Options()
    change(&options)
    return try PromptEvaluation(
      PromptSet(files.prompts), options, size: size, by: network, on: SharedEngine.get())
  }

  private func measured(
    _ evaluation: PromptEvaluation, steps: Int = 1, keeping kept: Set<Int> = []
  ) throws -> PromptEvaluation.Result {
    let pipeline = try files.pipeline()
    let generation = try PromptGeneration(
      pipeline, EncodedPrompts(evaluation.prompts, by: pipeline))
    var request = ImageRequest(prompt: "")
    request.steps = steps
    return try evaluation.measure(generation, "model", like: request, keeping: kept)
  }

  /// Equal pictures in several files are one, and each real picture finds itself.
  @Test func duplicatesAreOnePicture() throws {
    let evaluation = try evaluation()
    #expect(evaluation.real.numbers == [0, 1, 2, 3, 2] && evaluation.real.features.count == 4)
    let set = evaluation.set
    let pictures = try set.lines.map { try RealPictures.read($0, in: set, size) }
    var measures = PictureMeasures()
    try measures.retrieve(
      network(pictures).features, own: evaluation.real.numbers, among: evaluation.real.features,
      on: SharedEngine.get())
    #expect(measures.top1 == 1 && measures.top5 == 1)
    try measures.retrieve(
      network(pictures).features, own: [1, 2, nil, nil, 2], among: evaluation.real.features,
      on: SharedEngine.get())
    #expect(measures.top1 == 1.0 / 3)
  }

  @Test func featuresOfRealPicturesAreComputedOnce() throws {
    let (cache, engine) = (
      FeatureCache(folder: files.folder.path + "/cache"), try SharedEngine.get()
    )
    func measured(_ lines: [String]) throws -> (real: RealPictures, read: Int) {
      try files.write(lines)
      var read = 0
      let evaluation = try PromptEvaluation(
        PromptSet(files.prompts), size: size, by: network, on: engine, cache: cache
      ) { read = $0 }
      return (evaluation.real, read)
    }
    // Few pictures are not worth a file.
    #expect(try measured(PromptFiles.lines).read == 5)
    #expect(try measured(PromptFiles.lines).read == 5)
    let paths = (0..<FeatureCache.least).map { "p/many-\($0).png" }
    for (number, path) in paths.enumerated() {
      try FileManager.default.copyItem(
        atPath: "\(files.folder.path)/p/\(number % 3).png", toPath: "\(files.folder.path)/\(path)")
    }
    let many = paths.map { #"{"prompt": "a fox", "picture": "\#($0)"}"# } + [#"{"prompt": "a"}"#]
    let first = try measured(many)
    let second = try measured(many)
    #expect(first.read == FeatureCache.least && second.read == 0)
    #expect(first.real.numbers == second.real.numbers && second.real.numbers.last == .some(nil))
    #expect(first.real.features.values == second.real.features.values)
    // Another picture, and a file that is damaged.
    try FileManager.default.removeItem(atPath: "\(files.folder.path)/\(paths[0])")
    try FileManager.default.copyItem(
      atPath: "\(files.folder.path)/p/3.png", toPath: "\(files.folder.path)/\(paths[0])")
    let changed = try measured(many)
    #expect(changed.read == FeatureCache.least && changed.real.features.count == 4)
    let folder = files.folder.path + "/cache"
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      try Data("no features".utf8).write(to: URL(filePath: "\(folder)/\(name)"))
    }
    #expect(try measured(many).read == FeatureCache.least)
    #expect(try measured(many).read == 0)
  }

  @Test func figuresDoNotDependOnTheBatch() throws {
    let results = try [nil, 3, nil].map { batch in
      try measured(
        evaluation { ($0.batch, $0.samplesPerPrompt) = (batch, 2) }, keeping: [1, 4])
    }
    let rows = results[0].rows
    #expect(rows.map(\.split) == ["training", "held-out"])
    #expect(rows.map(\.pictures) == [6, 4] && rows.map(\.realPictures) == [3, 2])
    #expect(rows[0].steps == 1 && rows[0].guidance == 0)
    #expect(results[2].rows.map(\.measures) == rows.map(\.measures))
    for (row, other) in zip(rows, results[1].rows) {
      let (a, b) = (row.measures, other.measures)
      #expect(a.top1 == b.top1 && a.top5 == b.top5)
      for figure in [\PictureMeasures.frechetDistance, \.diversity] {
        let ratio = try #require(a[keyPath: figure]) / #require(b[keyPath: figure])
        #expect(abs(ratio - 1) < 0.01)
      }
    }
    // A picture is that of its own seed, whatever it is made with.
    let pipeline = try files.pipeline()
    let plain = try evaluation()
    for (line, sample) in [(1, 0), (4, 1)] {
      var request = ImageRequest(
        prompt: plain.set.lines[line].prompt, seed: plain.seed(line: line, sample: sample))
      request.steps = 1
      let alone = try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
      let values = try Picture(width: 16, height: 16, channels: 3, numbers: alone).values
      for result in results {
        let kept = try #require(result.kept[line])
        #expect(kept.count == 2)
        let isClose = zip(kept[sample].values, values).allSatisfy { abs(Int($0) - Int($1)) <= 1 }
        #expect(isClose)
      }
    }
  }

  @Test func oneSplitIsAPartOfAll() throws {
    let all = try measured(evaluation())
    let part = try measured(evaluation { $0.splits = ["held-out"] })
    #expect(part.rows.count == 1 && part.rows[0].measures.top1 == all.rows[1].measures.top1)
    #expect(part.rows[0].measures.diversity == nil && part.rows[0].measures.top1 != nil)
    let few = try evaluation { $0.promptsPerSplit = 1 }
    #expect(few.count == 2 && few.real.features.count == 4)
  }

  @Test func realPicturesAreMeasuredThemselves() throws {
    let rows = try evaluation().referenceRows()
    #expect(rows.map(\.name) == ["real pictures", "real pictures"])
    #expect(try #require(rows[0].measures.diversity) > 0 && rows[0].measures.top1 == nil)
    let features = FeatureSet([1, 0, 0, 1, 1, 1], width: 2)
    #expect(try abs(#require(features.meanDistance) - (1 - 2.0.squareRoot() / 3)) < 1e-7)
  }

  @Test func aBaseIsComparedBySplit() throws {
    let evaluation = try evaluation { $0.samplesPerPrompt = 2 }
    var report = PromptReport(evaluation)
    func rows(_ name: String, _ top1: Double, _ diversity: Double?) -> [PromptReport.Row] {
      ["training", "held-out"].map { split in
        var row = PromptReport.Row(
          name: name, split: split, prompts: 1, pictures: 2, realPictures: 3)
        (row.steps, row.measures.top1) = (name == "base" ? 50 : 1, top1)
        row.measures.diversity = diversity
        return row
      }
    }
    report.rows = rows("model", 0.6, 0.3)
    report.compare(with: rows("base", 0.8, nil))
    report.rows += try evaluation.referenceRows()
    #expect(report.comparisons.map(\.split) == ["training", "held-out"])
    #expect(try abs(#require(report.comparisons[0].top1Kept) - 0.75) < 1e-12)
    #expect(report.comparisons[0].diversityKept == nil && report.comparisons[0].baseSteps == 50)
    #expect(report.table.contains("model") && report.table.contains("real pictures"))
    #expect(try #require(report.comparisonTable).contains("Of base in 50 steps"))
    let path = files.folder.path + "/report.json"
    try report.write(to: path)
    let read = try JSONDecoder().decode(
      PromptReport.self, from: Data(contentsOf: URL(filePath: path)))
    #expect(read == report && read.features == "EfficientNet-Lite0")
    try PromptReport.checkReplaceable(path)
    let base = try report.rows(ofBaseIn: path, steps: 50, guidance: nil)
    #expect(base == rows("base", 0.8, nil))
    for (change, reason) in [
      ({ $0.seed = 3 }, "--seed was 0"),
      ({ $0.samplesPerPrompt = 3 }, "--samples-per-prompt was 2"),
      ({ $0.prompts = "" }, "another file"), ({ $0.promptsPerSplit = 1 }, "-per-split was all"),
      ({ $0.size = [8, 8] }, "16 × 16"),
    ] as [((inout PromptReport) -> Void, String)] {
      var other = report
      change(&other)
      let error = #expect(throws: EvaluationError.self) {
        try other.rows(ofBaseIn: path, steps: 50, guidance: nil)
      }
      #expect("\(error!)".contains(reason), "\(error!)")
    }
    #expect(throws: EvaluationError.self) {
      try report.rows(ofBaseIn: path, steps: 50, guidance: 2)
    }
    try Data("{}".utf8).write(to: URL(filePath: path))
    #expect(throws: FileError.self) { try PromptReport.checkReplaceable(path) }
  }

  @Test func aSheetShowsRealPicturesBesideOthers() throws {
    let evaluation = try evaluation { $0.samplesPerPrompt = 2 }
    var sheet = PromptSheet(evaluation)
    #expect(sheet.lines == [0, 1, 2, 3, 4])
    try sheet.addReal()
    let path = files.folder.path + "/sheet.png"
    try sheet.write(to: path)
    let narrow = try Picture.read(path).picture
    sheet.add(try measured(evaluation, keeping: Set(sheet.lines)))
    try sheet.write(to: path)
    let wide = try Picture.read(path).picture
    #expect(wide.width > narrow.width && wide.height == narrow.height)
  }

  @Test func whatCannotBeMeasuredIsAnError() throws {
    let error = #expect(throws: EvaluationError.self) {
      let other = try PromptEvaluation(
        PromptSet(files.prompts), size: ImageSize(height: 8, width: 8), by: network,
        on: SharedEngine.get())
      _ = try measured(other)
    }
    #expect("\(error!)".contains("makes pictures of 16x16"))
    let damaged = files.folder.path + "/p/3.png"
    try Data(try Data(contentsOf: URL(filePath: damaged)).prefix(60))
      .write(to: URL(filePath: damaged))
    let second = #expect(throws: EvaluationError.self) { try evaluation() }
    #expect("\(second!)".contains("line 5: its picture cannot be used"))
    try files.write([#"{"prompt": "a fox"}"#])
    #expect(throws: EvaluationError.nothingToMeasure(path: files.prompts)) { try evaluation() }
    let several = try measured(evaluation { $0.samplesPerPrompt = 2 })
    #expect(several.rows[0].measures.diversity != nil && several.rows[0].measures.top1 == nil)
  }
}
