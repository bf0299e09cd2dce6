import Tensors
import Testing

@testable import Weights

@Suite struct NameMapTests {
  private let shapes = Named<[Int]>([
    ("blocks.*.attn.to_q.weight", [2, 4, 3]), ("blocks.*.attn.to_k.weight", [2, 2, 3]),
    ("blocks.*.attn.to_v.weight", [2, 2, 3]), ("blocks.*.attn.to_q.bias", [2, 4]),
    ("blocks.*.attn.to_k.bias", [2, 2]), ("blocks.*.attn.to_v.bias", [2, 2]),
    ("blocks.*.gate_up.weight", [2, 6, 3]), ("norm.weight", [3]), ("normal.weight", [3]),
  ]).mapValues { Shape($0) }

  private func listing(_ map: NameMap, _ name: String) -> [String] {
    map.pieces(of: name, shapes: shapes).map { "\($0.disk) \($0.shape) at \($0.box.start)" }
  }

  @Test func layersAreArraysOfTheirOwn() {
    #expect(
      listing(NameMap(), "blocks.*.attn.to_q.bias") == [
        "blocks.0.attn.to_q.bias [4] at [0, 0]", "blocks.1.attn.to_q.bias [4] at [1, 0]",
      ])
    #expect(listing(NameMap(), "norm.weight") == ["norm.weight [3] at [0]"])
  }

  @Test func wholeComponentsAreRenamed() {
    let map = NameMap([
      .rename("norm", to: "final_norm"), .rename("blocks.*.attn", to: "layers.*.self_attn"),
    ])
    #expect(listing(map, "norm.weight") == ["final_norm.weight [3] at [0]"])
    #expect(listing(map, "normal.weight") == ["normal.weight [3] at [0]"])
    #expect(
      listing(map, "blocks.*.attn.to_k.bias")[1] == "layers.1.self_attn.to_k.bias [2] at [1, 0]")
  }

  /// Maps of unequal sizes in one array on disk: each begins where those before it end.
  @Test func mapsThatACheckpointHasFused() {
    let map = NameMap([
      .split(
        disk: "blocks.*.attn.qkv",
        ["blocks.*.attn.to_q", "blocks.*.attn.to_k", "blocks.*.attn.to_v"]),
      .rename("blocks", to: "layers"),
    ])
    #expect(
      listing(map, "blocks.*.attn.to_v.weight") == [
        "layers.0.attn.qkv.weight [8, 3] at [0, -6, 0]",
        "layers.1.attn.qkv.weight [8, 3] at [1, -6, 0]",
      ])
    #expect(listing(map, "blocks.*.attn.to_k.bias")[0] == "layers.0.attn.qkv.bias [8] at [0, -4]")
  }

  @Test func mapsThatACheckpointHasApart() {
    let map = NameMap([
      .join(disk: ["blocks.*.gate", "blocks.*.up"], "blocks.*.gate_up")
    ])
    #expect(
      listing(map, "blocks.*.gate_up.weight") == [
        "blocks.0.gate.weight [3, 3] at [0, 0, 0]", "blocks.0.up.weight [3, 3] at [0, 3, 0]",
        "blocks.1.gate.weight [3, 3] at [1, 0, 0]", "blocks.1.up.weight [3, 3] at [1, 3, 0]",
      ])
  }

  @Test func matricesThatAreKernelsOfOneTap() {
    let map = NameMap([
      .pointwise("attn.q.weight", axes: 2), .rename("attn.q", to: "attn.query"),
    ])
    let shapes = Named<[Int]>([("attn.q.weight", [4, 3]), ("attn.q.bias", [4])])
      .mapValues { Shape($0) }
    let weight = map.pieces(of: "attn.q.weight", shapes: shapes)
    #expect(weight.map(\.disk) == ["attn.query.weight"])
    #expect(weight[0].shape == [4, 3] && weight[0].diskShape == [4, 3, 1, 1])
    #expect(map.pieces(of: "attn.q.bias", shapes: shapes)[0].diskShape == [4])
  }

  @Test func stacksThatAreOneArrayOnDisk() {
    let map = NameMap(keepsStacks: true)
    #expect(
      listing(map, "blocks.*.attn.to_q.weight") == [
        "blocks.attn.to_q.weight [2, 4, 3] at [0, 0, 0]"
      ]
    )
  }
}
