import Evaluation
import Runtime
import Tensors

extension GoldenCase {
  private struct Settings: Decodable {
    let sets: [String]
    let nearest_k: [Int]
  }

  private struct Coverage: Decodable {
    let precision, recall: Double
    let density, coverage: Double?
  }

  private struct Figures: Decodable {
    let fid_svd, kid_mean, kid_std: Double
    let kid_per_subset: [Double]
  }

  private struct Spread: Decodable {
    let per_prompt: [String: Double]
    let mean: Double
  }

  /// A set's figures, or the diversity, of `expected.json`.
  private struct Entry: Decodable {
    let figures: Figures?
    let spread: Spread?
    let coverage: [String: Coverage]

    private struct Key: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      (figures, spread) = (try? Figures(from: decoder), try? Spread(from: decoder))
      let keys = try decoder.container(keyedBy: Key.self)
      var coverage: [String: Coverage] = [:]
      for key in keys.allKeys
      where key.stringValue.contains("prdc_k") || key.stringValue.contains("prc_k") {
        coverage[key.stringValue] = try keys.decode(Coverage.self, forKey: key)
      }
      self.coverage = coverage
    }
  }

  /// Measures the given features, and compares distances, coverage and diversity.
  ///
  /// - Throws: `GoldenError.wrongCase`, the errors of the measures, and the plugin's errors.
  func checkMetricFeatures(on client: Client) throws -> [Comparison] {
    let settings: Settings = try settings()
    let expected: [String: Entry] = try value("expected.json")
    let engine = Engine(client: client, cache: ExecutableCache())
    var found = try settings.sets.flatMap { set -> [Comparison] in
      guard let entry = expected[set], let figures = entry.figures else {
        throw fail("its expected.json has no \(set)")
      }
      let (real, fake) = (try features("\(set).real"), try features("\(set).fake"))
      guard real.width == fake.width else { throw fail("its sets \(set) differ in width") }
      let kernel = try KernelDistance(
        real, fake,
        subsets: zip(rows("\(set).kid_real_idx", real), rows("\(set).kid_fake_idx", fake))
          .map { (first: $0, second: $1) }, on: engine)
      let distance = try real.frechetDistance(to: fake, on: engine)
      let tolerance = { (name: String) in
        max(1e-12, 10 * (self.config.noiseFloors?["\(set).\(name)"] ?? 0))
      }
      return try [
        .numbers(
          "\(set).fid_svd", [distance], [figures.fid_svd],
          within: 1e-9 * max(1, abs(figures.fid_svd))),
        .numbers(
          "\(set).kid_per_subset", kernel.perSubset, figures.kid_per_subset,
          within: tolerance("kid_per_subset")),
        .numbers(
          "\(set).kid_mean", [kernel.mean], [figures.kid_mean], within: tolerance("kid_mean")),
        .numbers(
          "\(set).kid_std", [kernel.deviation], [figures.kid_std], within: tolerance("kid_std")),
      ] + settings.nearest_k.flatMap { try compareCoverage(set, $0, real, fake, entry, engine) }
    }
    if let wanted = expected["diversity"]?.spread {
      let prompts = try input("diversity.prompt").values.map { Int($0) }
      let set = try features("diversity.features")
      guard prompts.count == set.count else { throw fail("not every picture has a prompt") }
      let diversity = Diversity(set, prompts: prompts)
      let names = wanted.per_prompt.keys.compactMap(Int.init).sorted()
      found += [
        .rows("diversity.prompts", diversity.perPrompt.keys.sorted(), names),
        .numbers(
          "diversity.per_prompt", names.map { diversity.perPrompt[$0] ?? .nan },
          names.map { wanted.per_prompt["\($0)"]! }, within: 1e-9),
        .numbers("diversity.mean", [diversity.mean ?? .nan], [wanted.mean], within: 1e-9),
      ]
    }
    return found
  }

  private func features(_ name: String) throws -> FeatureSet {
    let array = try input(name, shape: [nil, nil])
    return FeatureSet(array.values, width: max(1, array.shape[1]))
  }

  /// Rows of numbers of a set's vectors.
  private func rows(_ name: String, _ set: FeatureSet) throws -> [[Int]] {
    let array = try input(name, shape: [nil, nil])
    let numbers = array.values.map { Int($0) }
    guard numbers.allSatisfy({ 0..<set.count ~= $0 }), array.shape[1] > 1 else {
      throw fail("its \(name) names vectors that are not there")
    }
    return stride(from: 0, to: numbers.count, by: array.shape[1]).map {
      Array(numbers[$0..<$0 + array.shape[1]])
    }
  }

  private func compareCoverage(
    _ set: String, _ nearest: Int, _ real: FeatureSet, _ fake: FeatureSet, _ entry: Entry,
    _ engine: Engine
  ) throws -> [Comparison] {
    try ["prdc_k\(nearest)", "torch_fidelity_prc_k\(nearest)"].compactMap { name in
      guard let wanted = entry.coverage[name] else { return nil }
      let includesBorder = name.hasPrefix("torch")
      let found = try Neighborhoods(
        real: real, generated: fake, nearest: nearest, includesBorder: includesBorder, on: engine)
      var pairs = [(found.precision, wanted.precision), (found.recall, wanted.recall)]
      if let density = wanted.density { pairs.append((found.density, density)) }
      if let coverage = wanted.coverage { pairs.append((found.coverage, coverage)) }
      // torch-fidelity rounds to f32.
      return .numbers(
        "\(set).\(name)", pairs.map(\.0), pairs.map(\.1), within: includesBorder ? 1e-7 : 1e-12)
    }
  }
}
