import Layers
import Tensors
import TestSupport
import Testing

@Suite struct InitializerTests {
  static func expectSpread(_ x: Numbers, bound: Double?, deviation: Double, _ what: String) {
    let n = Double(x.count)
    let mean = x.values.reduce(0, +) / n
    let variance = x.values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    #expect(abs(mean) < 5 * deviation / n.squareRoot(), "\(what)")
    #expect(abs(variance.squareRoot() / deviation - 1) < 0.05, "\(what)")
    if let bound {
      #expect(x.values.allSatisfy { abs($0) <= bound }, "\(what)")
      #expect(x.values.contains { abs($0) > 0.98 * bound }, "\(what)")
    }
  }

  @Test func statistics() throws {
    let type = TensorType([80, 100], .float32)
    let cases: [(Initializer, Double?, Double)] = [
      (.normal(0.02), nil, 0.02), (.uniform(0.3), 0.3, 0.3 / 3.0.squareRoot()),
      (.xavier(100, 80), (6.0 / 180).squareRoot(), (2.0 / 180).squareRoot()),
      (.fanIn(100), 0.1, 0.1 / 3.0.squareRoot()),
      (.stacked(.normal(2)), nil, 2),
    ]
    let results = try evaluate { _ in
      cases.enumerated().map { $1.0(Key(seed: UInt64($0)), type) }
        + [Initializer.zeros(Key(seed: 1), type), Initializer.stacked(.ones)(Key(seed: 1), type)]
    }
    for ((initializer, bound, deviation), result) in zip(cases, results) {
      Self.expectSpread(result, bound: bound, deviation: deviation, "\(initializer)")
    }
    #expect(results[5].values.allSatisfy { $0 == 0 })
    #expect(results[6].values.allSatisfy { $0 == 1 })
  }

  /// A weight's values depend on the key and its name alone.
  @Test func otherWeightsDoNotMatter() throws {
    let weight = ParameterSpec(shape: [4, 3], initializer: .normal(1))
    let alone = Named([("b", weight)])
    let among = Named([("a", weight), ("b", weight), ("c", weight)])
    let results = try evaluate { _ in
      alone.initialized(Key(seed: 3)).values + among.initialized(Key(seed: 3)).values
        + alone.initialized(Key(seed: 4)).values
    }.map(\.values)
    #expect(results[0] == results[2])
    #expect(Set([results[1], results[2], results[3], results[4]]).count == 4)
  }

  @Test func layersOfAStackDiffer() throws {
    let weights = Scope.declare { scope in
      Stack(scope / "stack", count: 2) { $0.linear("map", 3, 3) }
    }
    let result = try evaluate { _ in [weights.initialized(Key(seed: 1))["stack.*.map.weight"]!] }[0]
    #expect(result.shape == [2, 3, 3])
    #expect(Array(result.values.prefix(9)) != Array(result.values.suffix(9)))
  }
}
