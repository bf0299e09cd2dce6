import Flow
import Foundation
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct SD3Tests {
  static let config: SD3Config = {
    var config = SD3Config()
    (config.channels, config.depth, config.heads, config.headWidth) = (3, 4, 2, 12)
    (config.textWidth, config.pooledWidth, config.sampleSize) = (6, 5, 8)
    (config.positionTable, config.dualLayers) = (6, [1, 3])
    (config.hasTargetTime, config.execution) = (true, .unrolled)
    return config
  }()
  static let weights = Scope.declare { SD3($0, config) }

  @Test("Blocks with the same layers are stacks, whose names say the number of their first block")
  func declaresThePublishedWeights() {
    var expected = ["pos_embed.pos_embed [1, 36, 24]", "pos_embed.proj.weight [24, 3, 2, 2]"]
    expected.append("pos_embed.proj.bias [24]")
    func linear(_ name: String, _ input: Int, _ output: Int, of layers: [Int] = []) {
      expected.append("\(name).weight \(layers + [output, input])")
      expected.append("\(name).bias \(layers + [output])")
    }
    for name in ["time_text_embed", "time_text_embed_2"] {
      linear("\(name).timestep_embedder.linear_1", 256, 24)
      linear("\(name).text_embedder.linear_1", 5, 24)
      for part in ["timestep_embedder", "text_embedder"] {
        linear("\(name).\(part).linear_2", 24, 24)
      }
    }
    linear("context_embedder", 6, 24)
    linear("norm_out.linear", 24, 48)
    linear("proj_out", 24, 12)
    for (star, layers, isDual, isLast) in [
      ("*", [1], false, false), ("*+1", [1], true, false), ("*+2", [1], false, false),
      ("3", [], true, true),
    ] {
      let block = "transformer_blocks.\(star)"
      linear("\(block).norm1.linear", 24, isDual ? 216 : 144, of: layers)
      linear("\(block).norm1_context.linear", 24, isLast ? 48 : 144, of: layers)
      var maps = ["to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0"]
      if !isLast { maps.append("to_add_out") }
      for map in maps { linear("\(block).attn.\(map)", 24, 24, of: layers) }
      for norm in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
        expected.append("\(block).attn.\(norm).weight \(layers + [12])")
      }
      for mlp in isLast ? ["ff"] : ["ff", "ff_context"] {
        linear("\(block).\(mlp).net.0.proj", 24, 96, of: layers)
        linear("\(block).\(mlp).net.2", 96, 24, of: layers)
      }
      guard isDual else { continue }
      for map in ["to_q", "to_k", "to_v", "to_out.0"] {
        linear("\(block).attn2.\(map)", 24, 24, of: layers)
      }
      for norm in ["norm_q", "norm_k"] {
        expected.append("\(block).attn2.\(norm).weight \(layers + [12])")
      }
    }
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  /// Stable Diffusion 3.5 large.
  static let large: SD3Config = {
    var config = SD3Config()
    (config.depth, config.heads, config.positionTable) = (38, 38, 192)
    (config.dualLayers, config.execution) = ([], .scanned)
    return config
  }()

  @Test(
    "The networks of the published sizes have as many weights as the published ones",
    arguments: [(SD3Config(), 909, 2_469_663_936), (large, 1227, 8_146_280_768)])
  func size(_ config: SD3Config, arrays: Int, elements: Int) {
    let weights = Scope.declare { SD3($0, config) }
    #expect(weights.elements == elements)
    let shapes = weights.mapValues(\.shape)
    let names = weights.names.flatMap { config.names.arrays(of: $0, shapes: shapes) }
    #expect(names.count == arrays && Set(names).count == arrays)
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { SD3($0, Self.config) }
    let matrices = Self.weights.values.count { $0.isMatrix }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices)
    #expect(adapted["transformer_blocks.*+2.attn.to_out.0.lora_A.weight"]?.shape == [1, 1, 24])
  }

  @Test("However the blocks are run, values and gradients are the same")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given, relative: 1e-3) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    // Nothing of the last block's text but keys and values is used, and softmax ignores what all keys
    // have in common.
    let unused = ["add_q_proj", "norm_added_q"].map { "transformer_blocks.3.attn.\($0)" }
    for (name, gradient) in gradients.pairs {
      let isUnused = unused.contains { name.hasPrefix($0) }
      #expect(gradient.values.contains { abs($0) > 1e-9 } == !isUnused, "the gradient of \(name)")
    }
  }

  @Test("Padding has no part, however it is named")
  func padding() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      func with(_ changes: (inout Named<Tensor>) -> Void) -> Tensor {
        var changed = inputs
        changes(&changed)
        return Self.run(weights, changed)
      }
      let place = Tensor.iota([2, 5], axis: 1, .int32)
      let isText = place.less(inputs["text_mask"]!.expanded([1]))
      let padding = 1 - isText.cast(to: .float32).expanded([2])
      return Named([
        ("counts", Self.run(weights, inputs)), ("bools", with { $0["text_mask"] = isText }),
        ("other padding", with { $0["text"] = inputs["text"]! + padding * 3 }),
        ("no mask", with { $0["text_mask"] = nil }),
      ])
    }
    for name in ["bools", "other padding"] {
      expectClose(results[name]!, results["counts"]!, relative: 1e-5, absolute: 1e-5, name)
    }
    for row in 0..<2 { #expect(results["no mask"]!.row(row) != results["counts"]!.row(row)) }
  }

  @Test("A network without some of its blocks is one that does not have them")
  func skippedBlocks() throws {
    var config = Self.config
    (config.dualLayers, config.depth, config.hasTargetTime) = ([], 5, false)
    let all = config
    (config.depth) = 3
    let few = config
    let specs = Scope.declare { SD3($0, all) }
    let given = Self.inputs().merging(specs.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      let network = Scope.bind(weights) { SD3($0, all) }
      // Blocks 0 and 2 are left, and the last one.
      let left = weights.map { name, value in
        name.contains(".*.") ? Tensor.stack([value[0], value[2]]) : value
      }
      let renamed = Named(
        left.pairs.map { ($0.name.replacing("blocks.4.", with: "blocks.2."), $0.value) })
      let condition = inputs.filter { ["text", "text_mask", "pooled"].contains($0) }
      func velocity(_ network: SD3) -> Tensor {
        network(inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!, condition: condition)
      }
      return Named([
        ("skipping", velocity(network.skipping([1, 3]))), ("whole", velocity(network)),
        ("few", velocity(Scope.bind(renamed) { SD3($0, few) })),
        ("no last", velocity(network.skipping([4]))),
        ("other numbers", velocity(network.skipping([17]))),
      ])
    }
    expectClose(results["skipping"]!, results["few"]!, relative: 1e-5, absolute: 1e-5)
    #expect(results["other numbers"] == results["whole"])
    #expect(results["skipping"] != results["whole"] && results["no last"] != results["whole"])
  }

  @Test("The positions of an image are the centre of the table, which may be larger")
  func positions() throws {
    var config = Self.config
    config.positionTable = 10
    let larger = config
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      let table = weights["pos_embed.pos_embed"]!.reshape([6, 6, 24])
      var padded = weights
      padded["pos_embed.pos_embed"] = table.pad([(2, 2), (2, 2), (0, 0)]).reshape([1, 100, 24])
      var moved = weights
      moved["pos_embed.pos_embed"] = Tensor.concatenate(
        [table.slice(0, 1..<6), table.slice(0, 0..<1)], axis: 0
      ).reshape([1, 36, 24])
      return Named([
        ("table", Self.run(weights, inputs)), ("larger", Self.run(padded, inputs, larger)),
        ("moved", Self.run(moved, inputs)),
      ])
    }
    expectClose(results["larger"]!, results["table"]!, relative: 1e-6, absolute: 1e-6)
    #expect(results["moved"] != results["table"])
  }

  @Test("A fresh table is that of diffusers")
  func freshTable() throws {
    let results = try evaluate(Named([("zero", Numbers([0], nil, .float32))])) { inputs in
      let type = TensorType([1, 9, 8], .float32)
      let table = Initializer.positions(base: 4)(Key(.zeros([2], .uint64)), type)
      return Named([("table", table + inputs["zero"]!)])
    }
    // PatchEmbed(height=8, width=8, patch_size=2, embed_dim=8, pos_embed_max_size=3): columns, then rows,
    // 4/3 apart.
    let row = Array(results["table"]!.values[(1 * 3 + 2) * 8..<(1 * 3 + 3) * 8])
    let (x, y) = (8.0 / 3, 4.0 / 3)
    let expected = [
      sin(x), sin(x / 100), cos(x), cos(x / 100), sin(y), sin(y / 100), cos(y), cos(y / 100),
    ]
    for (found, wanted) in zip(row, expected) { #expect(abs(found - wanted) < 1e-6) }
  }

  @Test func tablesAreNotTrained() {
    let model = ModelConfig(Self.config)
    #expect(Self.weights.names.filter(model.isTable) == ["pos_embed.pos_embed"])
    #expect(model.largestSide == 12)
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([2, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5], nil, .float32)), ("tt", Numbers([0.3, -0.75], nil, .float32)),
      ("text", .random([2, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([2], .int32) { [3, 4][$0[0]] }),
      ("pooled", .random([2, 5], seed: 7, .float32)),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: SD3Config = config
  ) -> Tensor {
    Scope.bind(weights) { SD3($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { ["text", "text_mask", "pooled"].contains($0) })
  }
}
