import Foundation
import Layers
import Tensors
import TestSupport
import Testing
import Weights

@testable import Models

/// Files of LoRA fit published transformers in every layout of their names.
@Suite struct LoRALayoutTests {
  private static let networks: [ModelConfig] = {
    var image = ZImageConfig()
    (image.depth, image.refinerDepth, image.execution) = (2, 1, .unrolled)
    var qwen = QwenImageConfig()
    (qwen.depth, qwen.execution, qwen.hasTargetTime) = (2, .unrolled, true)
    var stable = SD3Config()
    (stable.depth, stable.dualLayers, stable.positionTable) = (3, [0], 8)
    let sana = SanaTests.config
    return [ModelConfig(image), ModelConfig(qwen), ModelConfig(stable), ModelConfig(sana)]
  }()

  /// The linear maps of a network in a layout, with their sizes.
  private func maps(_ model: ModelConfig, _ layout: NameMap) -> [String: [Int]] {
    let specs = model.weights
    let shapes = specs.mapValues(\.shape)
    var maps: [String: [Int]] = [:]
    for (name, spec) in specs.pairs where spec.isMatrix {
      for piece in layout.pieces(of: name, shapes: shapes) {
        maps[String(piece.disk.dropFirst(layout.prefix.count).dropLast(".weight".count))] =
          piece.shape
      }
    }
    return maps
  }

  /// Writes LoRA of rank 1 for maps, and finds the parameters that it changes.
  private func changed(
    _ model: ModelConfig, _ maps: [String: [Int]], name: (String) -> String
  ) throws -> [String] {
    let path = NSTemporaryDirectory() + "lora-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var types = Named<TensorType>()
    for (map, sizes) in maps.sorted(by: { $0.key < $1.key }) {
      types[name(map) + ".lora_down.weight"] = TensorType([1, sizes[1]], .bfloat16)
      types[name(map) + ".lora_up.weight"] = TensorType([sizes[0], 1], .bfloat16)
    }
    try SafeTensors.write(types, to: path) { [UInt8](repeating: 0, count: types[$0]!.byteCount) }
    return try LoRAFile(path: path)
      .fitted(to: model.weights, layouts: model.loraLayouts, network: model.kind).changed
  }

  @Test(arguments: networks) func everyLinearMapIsFound(model: ModelConfig) throws {
    let matrices = model.weights.pairs.filter(\.value.isMatrix).map(\.name)
    #expect(!model.loraLayouts.isEmpty && matrices.count > 15)
    for layout in model.loraLayouts {
      let maps = maps(model, layout)
      for name in [
        { "diffusion_model.\($0)" }, { "transformer.\($0)" },
        { "lora_unet_" + $0.replacingOccurrences(of: ".", with: "_") },
      ] as [(String) -> String] {
        #expect(try changed(model, maps, name: name) == matrices)
      }
    }
  }

  /// ComfyUI's Z-Image has one map to queries, keys and values.
  @Test func fusedMapsOfZImageAreSplit() throws {
    let model = Self.networks[0]
    let width = model.weights["layers.*.attention.to_q.weight"]!.shape[1]
    let found = try changed(
      model,
      ["layers.1.attention.qkv": [3 * width, width], "layers.0.attention.out": [width, width]]
    ) { "diffusion_model.\($0)" }
    #expect(
      found == ["to_q", "to_k", "to_v", "to_out.0"].map { "layers.*.attention.\($0).weight" })
  }
}
