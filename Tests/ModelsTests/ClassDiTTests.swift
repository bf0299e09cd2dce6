import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct ClassDiTTests {
  static let config: ClassDiTConfig = {
    var config = ClassDiTConfig()
    (config.size, config.channels, config.outputChannels, config.patch) = (4, 2, 4, 2)
    (config.heads, config.headWidth, config.depth, config.classes) = (2, 4, 2, 3)
    (config.hasNormWeights, config.execution) = (true, .unrolled)
    return config
  }()
  static let weights = Scope.declare { ClassDiT($0, config) }

  @Test func declaresThePublishedWeights() {
    let block = [
      "norm1.emb.timestep_embedder.linear_1.weight [2, 8, 256]",
      "norm1.emb.timestep_embedder.linear_1.bias [2, 8]",
      "norm1.emb.timestep_embedder.linear_2.weight [2, 8, 8]",
      "norm1.emb.timestep_embedder.linear_2.bias [2, 8]",
      "norm1.emb.class_embedder.embedding_table.weight [2, 4, 8]",
      "norm1.linear.weight [2, 48, 8]", "norm1.linear.bias [2, 48]",
      "attn1.to_q.weight [2, 8, 8]", "attn1.to_q.bias [2, 8]",
      "attn1.to_k.weight [2, 8, 8]", "attn1.to_k.bias [2, 8]",
      "attn1.to_v.weight [2, 8, 8]", "attn1.to_v.bias [2, 8]",
      "attn1.to_out.0.weight [2, 8, 8]", "attn1.to_out.0.bias [2, 8]",
      "norm3.weight [2, 8]", "norm3.bias [2, 8]",
      "ff.net.0.proj.weight [2, 32, 8]", "ff.net.0.proj.bias [2, 32]",
      "ff.net.2.weight [2, 8, 32]", "ff.net.2.bias [2, 8]",
    ].map { "transformer_blocks.*.\($0)" }
    let start = ["pos_embed.proj.weight [8, 2, 2, 2]", "pos_embed.proj.bias [8]"]
    let end = [
      "proj_out_1.weight [16, 8]", "proj_out_1.bias [16]", "proj_out_2.weight [16, 8]",
      "proj_out_2.bias [16]",
    ]
    #expect(Self.weights.listing == start + block + end)
  }

  @Test("DiT-XL/2 has as many weights as the published one")
  func size() {
    var config = ClassDiTConfig()
    config.outputChannels = 8
    let weights = Scope.declare { ClassDiT($0, config) }
    #expect(weights.elements == 749_826_464)
    #expect(weights.names.reduce(0) { $0 + ($1.contains("*") ? 28 : 1) } == 538)
  }

  @Test("However the blocks are run, values and gradients are the same, and no gradient is 0")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given, times: "other") {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    // A shift of all keys does not change the weights of attention.
    for (name, gradient) in gradients.pairs where !name.hasSuffix("to_k.bias") {
      for layer in name.contains("*") ? [gradient.row(0), gradient.row(1)] : [gradient] {
        #expect(layer.values.contains { abs($0) > 1e-6 }, "the gradient of \(name)")
      }
    }
  }

  @Test("As a velocity model it drops variances and multiplies times by 1000")
  func velocity() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let network = Scope.bind(inputs.group("weights")) { ClassDiT($0, Self.config) }
      let velocity = network(
        inputs["x"]!, time: inputs["t"]!, target: inputs["t"]! * 0.5,
        condition: Named([("class", inputs["class"]!)]))
      return Named([("velocity", velocity), ("all", Self.run(inputs.group("weights"), inputs))])
    }
    let (velocity, all) = (results["velocity"]!, results["all"]!)
    #expect(velocity.shape == [3, 4, 4, 2] && all.shape == [3, 4, 4, 4])
    for place in Numbers.places(velocity.shape) { #expect(velocity[place] == all[place]) }
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
    expectClose(results["half"]!.values, results["single"]!.values, relative: 0.1, absolute: 0.2)
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { ClassDiT($0, Self.config) }
    let matrices = Self.weights.pairs.filter { name, spec in
      let rank = spec.shape.rank - (name.contains("*") ? 1 : 0)
      return rank == 2 && !name.contains("embedding_table")
    }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices.count)
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([3, 4, 4, 2], seed: 5, .float32)),
      ("other", .random([3, 4, 4, 4], seed: 6, .float32)),
      ("t", Numbers([0.9, -0.5, 0.25], nil, .float32)),
      ("class", Numbers([0, 1, 3], nil, .int32)),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: ClassDiTConfig = config
  ) -> Tensor {
    Scope.bind(weights) { ClassDiT($0, config) }(
      inputs["x"]!, timestep: inputs["t"]! * 1000, classes: inputs["class"]!)
  }
}
