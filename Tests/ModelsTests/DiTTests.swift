import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct DiTTests {
  static let config: DiTConfig = {
    var config = DiTConfig()
    (config.size, config.channels, config.patch) = (4, 2, 2)
    (config.width, config.depth, config.heads, config.mlpRatio) = (8, 2, 2, 2)
    config.classes = 3
    return config
  }()
  static let weights = Scope.declare { DiT($0, config) }

  @Test func declaresItsWeights() {
    let expected = [
      "patches.weight [8, 8]", "patches.bias [8]",
      "time.input.weight [8, 256]", "time.input.bias [8]",
      "time.output.weight [8, 8]", "time.output.bias [8]",
      "target.input.weight [8, 256]", "target.input.bias [8]",
      "target.output.weight [8, 8]", "target.output.bias [8]",
      "class_embedding.weight [4, 8]",
      "blocks.*.modulation.weight [2, 48, 8]", "blocks.*.modulation.bias [2, 48]",
      "blocks.*.attention.to_q.weight [2, 8, 8]", "blocks.*.attention.to_q.bias [2, 8]",
      "blocks.*.attention.to_k.weight [2, 8, 8]", "blocks.*.attention.to_k.bias [2, 8]",
      "blocks.*.attention.to_v.weight [2, 8, 8]", "blocks.*.attention.to_v.bias [2, 8]",
      "blocks.*.attention.to_out.0.weight [2, 8, 8]", "blocks.*.attention.to_out.0.bias [2, 8]",
      "blocks.*.mlp.input.weight [2, 16, 8]", "blocks.*.mlp.input.bias [2, 16]",
      "blocks.*.mlp.output.weight [2, 8, 16]", "blocks.*.mlp.output.bias [2, 8]",
      "modulation.weight [16, 8]", "modulation.bias [16]",
      "output.weight [8, 8]", "output.bias [8]",
    ]
    #expect(Self.weights.listing == expected)
    // Patches and output, two embedders, labels, blocks of 18d² + 15d, the last modulation.
    let ends = 16 * 192 + 192 + 192 * 16 + 16
    let embedders = 2 * (256 * 192 + 192 + 192 * 192 + 192)
    let blocks = 6 * (18 * 192 * 192 + 15 * 192)
    let count = ends + embedders + 11 * 192 + blocks + 2 * (192 * 192 + 192)
    #expect(Scope.declare { DiT($0, DiTConfig()) }.elements == count)
  }

  @Test func atFirstTheVelocityIsZero() throws {
    let result = try evaluate(Self.inputs()) { inputs in
      Named([("y", Self.run(Self.weights.initialized(Key(seed: 1)), inputs))])
    }["y"]!
    #expect(result.shape == [3, 4, 4, 2])
    #expect(result.values.allSatisfy { $0 == 0 })
  }

  @Test("At t = tt it is the ordinary network: the target's embedder has no part")
  func equalTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      var other = weights
      for name in weights.names where name.hasPrefix("target.") {
        other[name] = weights[name]! * 3 + 1
      }
      var same = inputs
      same["tt"] = inputs["t"]
      var all = Named([
        ("equal", Self.run(weights, same)), ("equal, other", Self.run(other, same)),
        ("apart", Self.run(weights, inputs)), ("apart, other", Self.run(other, inputs)),
      ])
      all.merge(
        all["equal"]!.squared().mean().gradients(for: weights).prefixed("gradients"))
      return all
    }
    #expect(results["equal"] == results["equal, other"])
    #expect(results["apart"] != results["apart, other"])
    #expect(results["apart"] != results["equal"])
    for (name, value) in results.group("gradients").pairs {
      let isZero = value.values.allSatisfy { $0 == 0 }
      #expect(isZero == name.hasPrefix("target."), "the gradient of \(name)")
    }
  }

  @Test func everyInputCounts() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      func with(_ name: String, _ change: (Tensor) -> Tensor) -> Tensor {
        var changed = inputs
        changed[name] = change(inputs[name]!)
        return Self.run(weights, changed)
      }
      var negative = inputs
      (negative["t"], negative["tt"]) = (-inputs["t"]!, -inputs["tt"]!)
      return Named([
        ("as it is", Self.run(weights, inputs)), ("twin", Self.run(weights, negative)),
        ("negative time", with("t") { -$0 }), ("target", with("tt") { $0 * 0.5 }),
        ("class", with("class") { $0.zerosLike + 3 }),
        ("image", with("x") { $0.reversed([1]) }),
      ])
    }
    let plain = results["as it is"]!
    for (name, value) in results.pairs.dropFirst() {
      for row in 0..<3 { #expect(value.row(row) != plain.row(row), "\(name), row \(row)") }
    }
  }

  @Test func rowsAreIndependent() throws {
    let weights = Self.weights.random()
    let given = Self.inputs()
    let whole = try evaluate(given.merging(weights.prefixed("weights"))) { inputs in
      Named([("y", Self.run(inputs.group("weights"), inputs))])
    }["y"]!
    let alone = given.mapValues { $0.row(1) }
    let row = try evaluate(alone.merging(weights.prefixed("weights"))) { inputs in
      Named([("y", Self.run(inputs.group("weights"), inputs))])
    }["y"]!
    expectClose(row, whole.row(1), relative: 1e-5, absolute: 1e-6)
  }

  @Test("However the blocks are run, values and gradients are the same")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    _ = try expectEqualExecutions(given, absolute: 1e-5) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
  }

  @Test func halfPrecisionStaysHalf() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var half = inputs
      half["x"] = inputs["x"]!.cast(to: .bfloat16)
      let weights = inputs.group("weights")
      return Named([("half", Self.run(weights, half)), ("single", Self.run(weights, inputs))])
    }
    #expect(results["half"]!.dtype == .bfloat16)
    expectClose(results["half"]!.values, results["single"]!.values, relative: 0.1, absolute: 0.1)
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([3, 4, 4, 2], seed: 5, .float32)),
      ("t", Numbers([0.9, 0.5, 0.25], nil, .float32)),
      ("tt", Numbers([0.3, 0.25, 0.125], nil, .float32)),
      ("class", Numbers([0, 1, 2], nil, .int32)),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: DiTConfig = config
  ) -> Tensor {
    Scope.bind(weights) { DiT($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { $0 == "class" })
  }
}
