import Foundation
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Evaluation

/// Measures of features, against torch-fidelity, prdc and SciPy.
@Suite struct FeatureMeasuresTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/features").path
  private let engine: Engine
  private let inputs: SafeTensors
  private let expected: [String: Any]

  init() throws {
    engine = try Engine()
    inputs = try SafeTensors(path: Self.folder + "/inputs.safetensors")
    let data = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/expected.json"))
    expected = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func features(_ name: String) throws -> FeatureSet {
    let values = try #require(inputs.bytes(name)).withMemoryRebound(to: Float.self) { Array($0) }
    return FeatureSet(values, width: inputs.types[name]!.shape[1])
  }

  private func integers(_ name: String) throws -> [Int] {
    try #require(inputs.bytes(name)).withMemoryRebound(to: Int64.self) { $0.map { Int($0) } }
  }

  private func numbers(_ set: String) throws -> [String: Any] {
    try #require(expected[set] as? [String: Any])
  }

  private func number(_ value: Any?) throws -> Double {
    try #require(value as? NSNumber).doubleValue
  }

  @Test(arguments: ["d64", "d2048"]) func frechetDistance(_ set: String) throws {
    let found = try features("\(set).real").frechetDistance(to: features("\(set).fake"), on: engine)
    let wanted = try number(numbers(set)["fid_svd"])
    #expect(abs(found - wanted) < 1e-9 * max(1, wanted))
  }

  /// Of many more vectors than features covariances are used.
  @Test func frechetDistanceOfCovariances() throws {
    func narrow(_ set: FeatureSet, _ width: Int) -> FeatureSet {
      FeatureSet((0..<set.count).flatMap { set[$0].prefix(width) }, width: width)
    }
    let (real, fake) = (try features("d64.real"), try features("d64.fake"))
    #expect(fake.count > 4 * 16 && fake.count <= 4 * 18)
    let found = try [16, 18].map {
      try narrow(real, $0).frechetDistance(to: narrow(fake, $0), on: engine)
    }
    // The same 16 features, with two that say nothing, by singular values.
    let padded = [real, fake].map { set in
      FeatureSet((0..<set.count).flatMap { Array(set[$0].prefix(16)) + [0, 0] }, width: 18)
    }
    let bySingularValues = try padded[0].frechetDistance(to: padded[1], on: engine)
    #expect(abs(found[0] - bySingularValues) < 1e-9 && found[0] > 0.1 && found[0] < found[1])
    #expect(try abs(narrow(real, 16).frechetDistance(to: narrow(real, 16), on: engine)) < 1e-9)
  }

  /// Of pictures that all differ by the same shift the distance is its square.
  @Test(.enabled(if: SlowTests.areRun))
  func frechetDistanceOfManyFeatures() throws {
    let (width, count) = (2048, 4096)
    var state: UInt32 = 1
    let values = (0..<width * count).map { _ -> Float in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 24) / 256
    }
    let real = FeatureSet(values, width: width)
    let shifted = FeatureSet(values.map { $0 + 0.25 }, width: width)
    let clock = ContinuousClock()
    var found = 0.0
    let time = try clock.measure { found = try real.frechetDistance(to: shifted, on: engine) }
    #expect(abs(found - Double(width) / 16) < 1e-6 * Double(width), "\(found)")
    print("Fréchet distance of \(count) × \(width) features: \(time)")
  }

  @Test(arguments: ["d64", "d2048"]) func kernelDistance(_ set: String) throws {
    let size = inputs.types["\(set).kid_real_idx"]!.shape[1]
    let (real, fake) = (try integers("\(set).kid_real_idx"), try integers("\(set).kid_fake_idx"))
    let subsets = stride(from: 0, to: real.count, by: size).map {
      (first: Array(real[$0..<$0 + size]), second: Array(fake[$0..<$0 + size]))
    }
    let found = try KernelDistance(
      features("\(set).real"), features("\(set).fake"), subsets: subsets, on: engine)
    let wanted = try #require(numbers(set)["kid_per_subset"] as? [NSNumber]).map(\.doubleValue)
    #expect(found.perSubset.count == wanted.count)
    #expect(zip(found.perSubset, wanted).allSatisfy { abs($0 - $1) < 1e-11 })
    #expect(try abs(found.mean - number(numbers(set)["kid_mean"])) < 1e-11)
    #expect(try abs(found.deviation - number(numbers(set)["kid_std"])) < 1e-11)
  }

  @Test func randomSubsetsFollowTheirSeed() throws {
    let (real, fake) = (try features("d64.real"), try features("d64.fake"))
    let found = try [1, 1, 2].map {
      try KernelDistance(real, fake, count: 5, size: 30, seed: $0, on: engine)
    }
    #expect(found[0] == found[1] && found[0] != found[2])
    #expect(throws: EvaluationError.tooFewFeatures(found: 1, needed: 2)) {
      try KernelDistance(real.chosen([0]), fake, on: engine)
    }
  }

  @Test(arguments: ["d64", "d2048"], [3, 5]) func neighborhoods(_ set: String, _ k: Int) throws {
    let (real, fake) = (try features("\(set).real"), try features("\(set).fake"))
    let wanted = try #require(numbers(set)["prdc_k\(k)"] as? [String: Any])
    let found = try Neighborhoods(real: real, generated: fake, nearest: k, on: engine)
    for (value, name) in [
      (found.precision, "precision"), (found.recall, "recall"), (found.density, "density"),
      (found.coverage, "coverage"),
    ] {
      #expect(try abs(value - number(wanted[name])) < 1e-12, "\(name)")
    }
    let rounded = try #require(numbers(set)["torch_fidelity_prc_k\(k)"] as? [String: Any])
    let inclusive = try Neighborhoods(
      real: real, generated: fake, nearest: k, includesBorder: true, on: engine)
    #expect(try abs(inclusive.precision - number(rounded["precision"])) < 1e-6)
    #expect(try abs(inclusive.recall - number(rounded["recall"])) < 1e-6)
  }

  @Test func diversity() throws {
    let found = Diversity(
      try features("diversity.features"), prompts: try integers("diversity.prompt"))
    let wanted = try #require(expected["diversity"] as? [String: Any])
    let perPrompt = try #require(wanted["per_prompt"] as? [String: Any])
    #expect(Set(found.perPrompt.keys.map(String.init)) == Set(perPrompt.keys))
    for (prompt, value) in found.perPrompt {
      #expect(try abs(value - number(perPrompt["\(prompt)"])) < 1e-12)
    }
    #expect(try abs(#require(found.mean) - number(wanted["mean"])) < 1e-12)
  }

  @Test func retrievalRanksByTheCosine() throws {
    let gallery = FeatureSet([1, 0, 0, 1, 1, 1], width: 2)
    let pictures = FeatureSet([9, 1, 1, 5, 3, 2], width: 2)
    let found = try Retrieval(pictures, wanted: [0, 0, 1], in: gallery, on: engine)
    #expect(found.ranks == [0, 2, 2])
    #expect(found.top(1) == 1.0 / 3 && found.top(3) == 1)
  }

  /// More rows than are computed together.
  @Test func blocksOfRowsAreJoined() throws {
    let rows = FeatureSet((0..<1100).map(Float.init), width: 1)
    var found: [Double] = []
    try InnerProducts(on: engine).forEachRow(of: rows, with: FeatureSet([2, 3], width: 1)) {
      #expect($0 == found.count / 2)
      found += $1
    }
    let wanted: [Double] = (0..<1100).flatMap { (row: Int) -> [Double] in
      [2 * Double(row), 3 * Double(row)]
    }
    #expect(found == wanted)
  }
}
