import Foundation
import Layers
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

/// The maps of a network that files of LoRA change, in any layout of the network.
@Suite struct FittedLoRATests {
  /// A stack of two layers with separate and joined maps, and a map of its own.
  private static let specs = Named<[Int]>([
    ("blocks.*.attn.to_q.weight", [2, 4, 3]), ("blocks.*.attn.to_k.weight", [2, 2, 3]),
    ("blocks.*.attn.to_v.weight", [2, 2, 3]), ("blocks.*.gate_up.weight", [2, 4, 3]),
    ("out.0.weight", [3, 4]),
  ]).mapValues { ParameterSpec(shape: Shape($0), initializer: .zeros, isMatrix: true) }
    .merging(Named([("norm.weight", ParameterSpec(shape: [3], initializer: .ones))]))

  /// The network's own names, and those of a program that fuses and renames.
  private static let layouts = [
    NameMap([.join(disk: ["blocks.*.gate", "blocks.*.up"], "blocks.*.gate_up")]),
    NameMap([
      .split(
        disk: "blocks.*.attn.qkv",
        ["blocks.*.attn.to_q", "blocks.*.attn.to_k", "blocks.*.attn.to_v"]),
      .rename("blocks", to: "layers"), .rename("out.0", to: "final"),
    ]),
  ]

  private func fitted(_ shapes: [(String, [Int])]) throws -> FittedLoRA {
    try LoRAFileTests.open(shapes).fitted(to: Self.specs, layouts: Self.layouts, network: "Net")
  }

  private func numbers(_ array: ShardedArray?) throws -> [Float] {
    try #require(array).array(of: Float.self)
  }

  private func load(_ shapes: [(String, [Int])], scale: Double = 1) throws -> Named<ShardedArray> {
    // The file must be there while it is read.
    try withFolder { folder in
      try write(
        Named(shapes.map { ($0.0, LoRAFileTests.array($0.1)) }), to: folder + "/file.safetensors")
      let client = try SharedClient.get()
      return try LoRAFile(path: folder)
        .fitted(to: Self.specs, layouts: Self.layouts, network: "Net")
        .load(as: "x", scale: scale, on: client)
    }
  }

  @Test func layersArePaddedToTheLargestRank() throws {
    let loaded = try load(
      [
        ("blocks.0.attn.to_k.lora_A.weight", [1, 3]), ("blocks.0.attn.to_k.lora_B.weight", [2, 1]),
        ("blocks.0.attn.to_k.alpha", []),
        ("blocks.1.attn.to_k.lora_A.weight", [2, 3]), ("blocks.1.attn.to_k.lora_B.weight", [2, 2]),
      ], scale: 0.5)
    let path = "blocks.*.attn.to_k.lora.x"
    #expect(loaded.names == ["\(path).A", "\(path).B", "\(path).scale"])
    #expect(loaded["\(path).A"]?.type.shape == [2, 2, 3])
    #expect(try numbers(loaded["\(path).A"]) == [1, 2, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    #expect(try numbers(loaded["\(path).B"]) == [1, 0, 2, 0, 1, 2, 3, 4])
    #expect(try numbers(loaded["\(path).scale"]) == [0.5, 0, 0.5, 0.5])
  }

  /// A module that fuses maps of unequal sizes changes each by its rows of B.
  @Test(arguments: [
    ("layers.1.attn.qkv", "lora_A", "lora_B"),
    ("diffusion_model.layers.1.attn.qkv", "lora_down", "lora_up"),
    ("lora_unet_layers_1_attn_qkv", "lora_down", "lora_up"),
  ])
  func fusedModulesAreSplit(prefix: String, down: String, up: String) throws {
    let loaded = try load([
      ("\(prefix).\(down).weight", [2, 3]), ("\(prefix).\(up).weight", [8, 2]),
    ])
    let zeros = [Float](repeating: 0, count: 6)
    for map in ["to_q", "to_k", "to_v"] {
      #expect(
        try numbers(loaded["blocks.*.attn.\(map).lora.x.A"]) == zeros + [1, 2, 3, 4, 5, 6])
    }
    #expect(
      try numbers(loaded["blocks.*.attn.to_q.lora.x.B"])
        == [Float](repeating: 0, count: 8) + [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(
      try numbers(loaded["blocks.*.attn.to_v.lora.x.B"]) == [0, 0, 0, 0, 13, 14, 15, 16])
    #expect(try numbers(loaded["blocks.*.attn.to_v.lora.x.scale"]) == [0, 0, 1, 1])
  }

  /// Modules of which the network makes one map have components of their own in it.
  @Test func joinedModulesLieBesideEachOther() throws {
    let loaded = try load([
      ("blocks.0.gate.lora_A.weight", [1, 3]), ("blocks.0.gate.lora_B.weight", [2, 1]),
      ("blocks.0.up.lora_A.weight", [1, 3]), ("blocks.0.up.lora_B.weight", [2, 1]),
      ("blocks.1.up.lora_A.weight", [1, 3]), ("blocks.1.up.lora_B.weight", [2, 1]),
    ])
    let path = "blocks.*.gate_up.lora.x"
    #expect(try numbers(loaded["\(path).A"]) == [1, 2, 3, 1, 2, 3, 1, 2, 3, 0, 0, 0])
    #expect(
      try numbers(loaded["\(path).B"]) == [1, 0, 2, 0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0])
    #expect(try numbers(loaded["\(path).scale"]) == [1, 1, 1, 0])
  }

  /// One file may mix the names of layouts.
  @Test func eachModuleIsFoundInItsLayout() throws {
    let fitted = try fitted(pair("transformer.blocks.0.attn.to_q", 4) + pair("final", 3, 4))
    #expect(fitted.changed == ["blocks.*.attn.to_q.weight", "out.0.weight"])
    #expect(fitted.specs(as: "y")["out.0.lora.y.B"]?.shape == [3, 1])
  }

  private func expectError(_ hints: String..., shapes: [(String, [Int])]) {
    let error = #expect(throws: WeightsError.self) { try fitted(shapes) }
    let text = error?.description ?? ""
    #expect(hints.allSatisfy(text.contains) && !text.contains("\n"), "\(text)")
  }

  private func pair(_ module: String, _ output: Int = 2, _ input: Int = 3) -> [(String, [Int])] {
    [("\(module).lora_A.weight", [1, input]), ("\(module).lora_B.weight", [output, 1])]
  }

  @Test func whatDoesNotFitIsNamed() {
    expectError(
      "for another model", "none of its 1 modules, such as double_blocks.0.qkv, is one of Net's",
      shapes: pair("double_blocks.0.qkv"))
    expectError(
      "does not fit Net",
      "blocks.0.attn.to_kk is not in the network (which has blocks.0.attn.to_k)",
      shapes: pair("blocks.0.attn.to_kk") + pair("blocks.0.attn.to_v"))
    expectError(
      "blocks.2.attn.to_k is not in the network",
      shapes: pair("blocks.2.attn.to_k") + pair("blocks.0.attn.to_v"))
    expectError(
      "blocks.0.attn.to_k maps 5 features to 2, the network's 3 to 2",
      shapes: pair("blocks.0.attn.to_k", 2, 5))
    expectError(
      "blocks.0.attn.to_k and layers.0.attn.qkv change the same map",
      shapes: pair("layers.0.attn.qkv", 8) + pair("blocks.0.attn.to_k"))
    expectError("does not fit Net", "norm is no linear map", shapes: pair("norm"))
  }

  /// What training writes is read by the same names at the scale 1, with what was said of sampling.
  @Test func writtenLoRAIsRead() throws {
    let lora = LoRA(rank: 2, alpha: 2)
    let client = try SharedClient.get()
    let factors = try Named([
      (
        "blocks.*.attn.to_k.lora_A.weight",
        ShardedArray((0..<12).map { Float($0) }, shape: [2, 2, 3], on: client)
      ),
      (
        "blocks.*.attn.to_k.lora_B.weight",
        ShardedArray((0..<8).map { Float($0) }, shape: [2, 2, 2], on: client)
      ),
    ])
    try withFolder { folder in
      let layout = NameMap([.rename("blocks", to: "layers")])
      let names = layout.forLoRA
      let path = folder + "/adapter.safetensors"
      try WeightFiles.write(
        parameters: factors, names: names,
        metadata: LoRAFile.metadata(
          of: lora, factors: factors.types, names: names, sampling: "steps: 4"), to: path)
      let file = try LoRAFile(path: path)
      #expect(file.modules.map(\.name) == ["layers.0.attn.to_k", "layers.1.attn.to_k"])
      #expect(file.style == .diffusers && file.sampling == "steps: 4")
      #expect(file.modules.map(\.scale) == [1, 1])
      let text = file.metadata["lora_adapter_metadata"] ?? ""
      #expect(text.contains(#"["layers.0.attn.to_k","layers.1.attn.to_k"]"#))
      let loaded = try file.fitted(to: Self.specs, layouts: [layout], network: "Net")
        .load(as: "x", on: client)
      for (part, factor) in [("A", "lora_A"), ("B", "lora_B")] {
        #expect(
          try loaded["blocks.*.attn.to_k.lora.x.\(part)"]?.bytes()
            == factors["blocks.*.attn.to_k.\(factor).weight"]?.bytes())
      }
    }
  }

  @Test func numbersBeyondTheTypeAreNamed() throws {
    try withFolder { folder in
      try write(
        Named([
          ("out.0.lora_A.weight", LoRAFileTests.array([1, 4], 1e6)),
          ("out.0.lora_B.weight", LoRAFileTests.array([3, 1])),
        ]), to: folder + "/file.safetensors")
      let fitted = try LoRAFile(path: folder).fitted(to: Self.specs, network: "Net")
      let client = try SharedClient.get()
      let error = #expect(throws: WeightsError.self) {
        try fitted.load(as: "x", dtype: .float16, on: client)
      }
      #expect(error?.description.contains("4 numbers") == true)
      let half = try fitted.load(as: "x", dtype: .bfloat16, on: client)
      #expect(half["out.0.lora.x.A"]?.type.dtype == .bfloat16)
      #expect(half["out.0.lora.x.scale"]?.type.dtype == .float32)
    }
  }
}
