import Foundation
import Pictures
import Runtime

extension BenchmarkScoring {
  /// What the features of the pictures say: how much those of a prompt differ, and how far all of them are
  /// from real ones. Each figure names the features and the number of pictures.
  ///
  /// - Parameters:
  ///   - real: the folder of real pictures, nil for none; they are brought to the size of the others.
  ///   - progress: called with the number of pictures whose features are computed.
  /// - Throws: `BenchmarkError`, the errors of pictures, and the plugin's errors.
  public func featureFigures(
    by network: any PictureFeatures, real: String?, on engine: Engine,
    progress: (Int) -> Void = { _ in }
  ) throws -> [BenchmarkScores.Figure] {
    var done = 0
    /// The features of pictures, of which few are in memory.
    func features(_ count: Int, _ images: (Int) throws -> [RGBImage]) throws -> FeatureSet {
      var set = FeatureSet(width: network.width)
      for start in stride(from: 0, to: count, by: 32) {
        let own = try (start..<min(start + 32, count)).flatMap(images)
        set.append(try network.features(of: own).values)
        done += own.count
        progress(done)
      }
      return set
    }
    let own = try features(files.count) { try images(of: files[$0]) }
    let name = "\(network.name), \(network.width) features"
    var figures: [BenchmarkScores.Figure] = []
    let prompts = files.flatMap { file in file.samples.map { _ in file.item } }
    let diversity = Diversity(own, prompts: prompts)
    let values = diversity.perPrompt.sorted { $0.key < $1.key }.map {
      Bootstrap.Share(sum: $0.value, count: 1)
    }
    if let mean = diversity.mean {
      let interval = Bootstrap(values.count).interval(ofMeanOf: [values])
      figures.append(
        .init(
          name: "diversity of a prompt's pictures (\(name))", value: mean, low: interval?.low,
          high: interval?.high, count: prompts.count))
    }
    guard let real else { return figures }
    let first = try images(of: files[0])[0]
    let paths = try BenchmarkLayout.pictures(in: real)
    guard paths.count > 1 else {
      throw BenchmarkError.otherPictures(folder: real, missing: ["real pictures"], extra: [])
    }
    let reference = try features(paths.count) {
      [
        try RGBImage(contentsOf: "\(real)/\(paths[$0])")
          .covering(width: first.width, height: first.height)
      ]
    }
    var measures = PictureMeasures()
    try measures.compare(own, to: reference, on: engine)
    return figures
      + measures.named.map { measure in
        .init(
          name:
            "\(measure.name.replacing("_", with: " ")) to \(paths.count) real pictures (\(name))",
          value: measure.value, count: own.count)
      }
  }
}
