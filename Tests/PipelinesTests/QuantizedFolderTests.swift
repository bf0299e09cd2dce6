import Files
import Foundation
import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// Inspection and quantization of folders with published weights.
@Suite struct QuantizedFolderTests {
  private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").path

  private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "quantized-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  /// A diffusers folder of a transformer, a text encoder, an autoencoder and a scheduler.
  private func pipeline(_ folder: String) throws -> String {
    let path = folder + "/pipeline"
    let parts = [
      ("transformer", "tr_qwenimage_wrapper"), ("text_encoder", "te_qwen3"), ("vae", "ae_kl16"),
    ]
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    var index: [String: Any] = ["_class_name": "QwenImagePipeline"]
    for (name, golden) in parts {
      try FileManager.default.copyItem(
        atPath: "\(Self.golden)/\(golden)/model", toPath: "\(path)/\(name)")
      index[name] = ["library", "class"]
    }
    let scheduler = path + "/scheduler"
    try FileManager.default.createDirectory(atPath: scheduler, withIntermediateDirectories: false)
    try Data("{}".utf8).write(to: URL(fileURLWithPath: scheduler + "/scheduler_config.json"))
    index["scheduler"] = ["library", "class"]
    index["image_encoder"] = [NSNull(), NSNull()]
    try JSONSerialization.data(withJSONObject: index).write(
      to: URL(fileURLWithPath: path + "/model_index.json"))
    return path
  }

  @Test func aFolderIsInspected() throws {
    try withFolder { folder in
      let inspection = try WeightInspection(try pipeline(folder))
      #expect(inspection.kind == "a diffusers folder of QwenImagePipeline")
      #expect(inspection.components.map(\.name) == ["text_encoder", "transformer", "vae"])
      #expect(inspection.others == ["scheduler"])
      let transformer = inspection.components[1]
      #expect(transformer.className == "QwenImageTransformer2DModelWrapper")
      #expect(transformer.parameters == 97948 && transformer.bytes == 4 * 97948)
      #expect(transformer.forms.map(\.name) == ["f32"])
      #expect(transformer.findings == ["with the second time embedder of TwinFlow"])
      let memory = try #require(transformer.memory)
      #expect(memory.stored == 4 * 97948)
      #expect(memory.int4 < memory.int8 && memory.int8 < memory.stored / 3)
      #expect(inspection.components.allSatisfy { $0.problem == nil && $0.memory != nil })
    }
  }

  @Test(arguments: [Quantization.int8, .int4]) func aFolderIsQuantized(
    quantization: Quantization
  ) throws {
    try withFolder { folder in
      let source = try pipeline(folder)
      let quantized = try QuantizedFolder(source)
      #expect(quantized.networks.map(\.name) == ["text_encoder", "transformer"])
      #expect(quantized.unchanged.map(\.name) == ["vae"])
      let target = folder + "/out"
      var seen = 0
      let results = try quantized.write(to: target, as: quantization) { _, _ in seen += 1 }
      #expect(seen == quantized.networks.reduce(0) { $0 + $1.matrices.count })
      for (network, errors) in results {
        #expect(errors.count == quantized.networks.first { $0.name == network }?.matrices.count)
        for error in errors {
          #expect(error.relative < (error.quantization == .int4 ? 0.1 : 0.01), "\(error.name)")
          #expect(error.relative > 0)
        }
      }
      // All else is the same.
      for file in [
        "model_index.json", "scheduler/scheduler_config.json", "transformer/config.json",
      ] {
        #expect(
          FileManager.default.contentsEqual(
            atPath: "\(source)/\(file)", andPath: "\(target)/\(file)"), "\(file)")
      }
      #expect(
        FileManager.default.contentsEqual(
          atPath: source + "/vae/diffusion_pytorch_model.safetensors",
          andPath: target + "/vae/diffusion_pytorch_model.safetensors"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["out", "pipeline"])

      // It is inspected, and its weights are near the others.
      let inspection = try WeightInspection(target)
      let transformer = try #require(inspection.components.first { $0.name == "transformer" })
      #expect(transformer.problem == nil && transformer.parameters == 97948)
      let memory = try #require(transformer.memory)
      #expect(memory.stored == (quantization == .int4 ? memory.int4 : memory.int8))
      let (old, new) = (
        try WeightFiles(path: source + "/transformer"),
        try WeightFiles(path: target + "/transformer")
      )
      let name = "transformer_blocks.1.attn.to_v.weight"
      #expect(old.types[name]?.dtype == .float32)
      #expect(new.types[name]?.dtype == (quantization == .int4 ? .uint8 : .int8))
      let bias = "transformer_blocks.1.attn.to_v.bias"
      let whole = Region(whole: old.types[bias]!.shape)
      #expect(old.bytes(bias, whole) == new.bytes(bias, whole))

      // What is there is not replaced, and what is quantized can be quantized again.
      #expect(throws: FileError.exists(path: target)) {
        try quantized.write(to: target, as: quantization)
      }
      let again = try QuantizedFolder(target + "/transformer")
        .write(to: folder + "/again", as: quantization)
      #expect(again[0].errors.allSatisfy { $0.relative < 0.03 })
      #expect(
        try WeightInspection(folder + "/again").components[0].memory?.stored == memory.stored)
    }
  }

  /// Shards, and a network whose weights have several files.
  @Test func aNetworkIsWrittenInSeveralFiles() throws {
    try withFolder { folder in
      let source = try pipeline(folder) + "/transformer"
      let results = try QuantizedFolder(source).write(
        to: folder + "/out", as: .int4, largest: 20_000)
      let files = try WeightFiles(path: folder + "/out")
      #expect(files.paths.count > 3)
      #expect(results[0].errors.count == 36)
      #expect(Set(results[0].errors.map(\.name)).count == 36)
      #expect(try WeightInspection(folder + "/out").components[0].problem == nil)
      #expect(try QuantizedFolder(folder + "/out").networks[0].matrices.count == 36)
    }
  }

  @Test func nothingIsLeftOfAFailure() throws {
    try withFolder { folder in
      let source = try pipeline(folder)
      try FileManager.default.createSymbolicLink(
        atPath: source + "/vae/link.json", withDestinationPath: "nowhere")
      let quantized = try QuantizedFolder(source)
      #expect(throws: FileError.self) { try quantized.write(to: folder + "/out", as: .int8) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["pipeline"])
    }
  }

  @Test func whatCannotBeQuantizedIsRefused() throws {
    try withFolder { folder in
      let vae = try pipeline(folder) + "/vae"
      let reason = "autoencoders are not quantized"
      #expect(throws: PipelineError.nothingToQuantize(path: vae, reasons: [reason])) {
        try QuantizedFolder(vae)
      }
      // A weight is missing.
      let transformer = folder + "/pipeline/transformer"
      let path = transformer + "/diffusion_pytorch_model.safetensors"
      let files = try WeightFiles(path: path)
      let types = files.types.filter { $0 != "img_in.weight" }
      try SafeTensors.write(types, to: path + ".new") {
        files.bytes($0, Region(whole: types[$0]!.shape))
      }
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: path + ".new", toPath: path)
      let error = #expect(throws: WeightsError.self) { try QuantizedFolder(transformer) }
      #expect(error?.description.contains("img_in.weight is missing") == true)
      let problem = try WeightInspection(transformer).components[0].problem
      #expect(problem?.contains("img_in.weight is missing") == true)
    }
  }

  @Test func loraIsShownWithItsRank() throws {
    try withFolder { folder in
      let path = folder + "/lora.safetensors"
      let types = Named([
        ("transformer.blocks.0.to_q.lora_A.weight", TensorType([2, 4], .bfloat16)),
        ("transformer.blocks.0.to_q.lora_B.weight", TensorType([3, 2], .bfloat16)),
      ])
      try SafeTensors.write(types, to: path) { [UInt8](repeating: 0, count: types[$0]!.byteCount) }
      #expect(
        try WeightInspection(path).components[0].findings == [
          "LoRA of 1 linear map in the style of diffusers, rank 2, alpha / rank 1"
        ])
    }
  }

  /// Files alone are known by the names of their arrays.
  @Test(arguments: [
    (["img_in.weight", "txt_norm.weight"], "Qwen-Image", [String]()),
    (
      ["model.diffusion_model.img_in.weight", "model.diffusion_model.txt_norm.weight"],
      "Qwen-Image",
      ["names of a single file, behind model.diffusion_model."]
    ),
    (
      ["cap_embedder.1.weight", "layers.0.attention.qkv.weight", "t_embedder.mlp.0.weight"],
      "Z-Image, under the original names", ["without a second time embedder"]
    ),
    (
      ["t_embedder_2.mlp.0.weight", "t_embedder_2.mlp.2.weight"], nil,
      ["the second time embedder of TwinFlow alone: the network's other weights are elsewhere"]
    ),
    (["a.weight", "a.scale_weight", "scaled_fp8"], nil, ["ComfyUI's scaled f8 (scale_weight)"]),
  ])
  func aFileIsKnownByItsNames(names: [String], network: String?, findings: [String]) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let types = Named(names.map { ($0, TensorType([2], .bfloat16)) })
      try SafeTensors.write(types, to: path) { _ in [0, 0, 0, 0] }
      let component = try WeightInspection(path).components[0]
      #expect(component.className == network && component.findings == findings)
      #expect(component.memory == nil && component.problem == nil)
    }
  }
}
