import Foundation
import Models
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// Components from other places than the model's folder.
@Suite struct ComponentPlacesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Some of the arrays of a model's transformer in a file of their own.
  private func file(
    _ name: String, from model: String, prefix: String = "", where isIncluded: (String) -> Bool
  ) throws -> String {
    let engine = try SharedEngine.get()
    let files = try WeightFiles(path: "\(model)/transformer")
    let arrays = Named(
      try files.types.pairs.filter { isIncluded($0.name) }.map { array, type in
        let bytes = files.bytes(array, Region(whole: type.shape))
        return (prefix + array, try engine.array(HostArray(type, bytes: bytes)))
      })
    let path = "\(folder.path)/\(name).safetensors"
    try WeightFiles.write(parameters: arrays, names: NameMap(), metadata: [:], to: path)
    return path
  }

  private func opened(
    _ model: String, transformer: String
  ) throws -> (pipeline: ImagePipeline, said: [String]) {
    var replacements = ImagePipeline.Replacements()
    replacements.transformer = transformer
    let said = Lines()
    let pipeline = try ImagePipeline(
      ModelFolder(model), replacing: replacements, on: SharedEngine.get()
    ) { said.add($0) }
    return (pipeline, said.all)
  }

  private func picture(_ pipeline: ImagePipeline) throws -> [Float] {
    var request = ImageRequest(prompt: "a fox", seed: 1)
    (request.size, request.steps) = (ImageSize(height: 32, width: 32), 1)
    return try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
  }

  @Test func aSingleFileIsRecognized() throws {
    let model = ImagePipelineTests.twin
    let path = try file("comfy", from: model, prefix: "model.diffusion_model.") { _ in true }
    let (pipeline, said) = try opened(model, transformer: path)
    #expect(said.contains { $0.contains("whole") && $0.contains("with a second time embedder") })
    let plain = try ImagePipeline(ModelFolder(model), on: SharedEngine.get())
    #expect(try picture(pipeline) == picture(plain))
  }

  @Test func aSecondTimeEmbedderAloneIsAdded() throws {
    let model = ImagePipelineTests.twin
    let base = try file("base", from: model) { !$0.contains("time_text_embed_2") }
    let second = try file("second", from: model) { $0.contains("time_text_embed_2") }
    // A model without one, in a folder of its own.
    let copy = "\(folder.path)/model"
    try FileManager.default.copyItem(atPath: model, toPath: copy)
    let weights = "\(copy)/transformer/diffusion_pytorch_model.safetensors"
    try FileManager.default.removeItem(atPath: weights)
    try FileManager.default.moveItem(atPath: base, toPath: weights)
    let config = "\(copy)/transformer/config.json"
    let text = try String(contentsOfFile: config, encoding: .utf8)
    try text.replacingOccurrences(of: "ModelWrapper", with: "Model")
      .write(toFile: config, atomically: true, encoding: .utf8)
    let without = try ImagePipeline(ModelFolder(copy), on: SharedEngine.get())
    #expect(!without.transformer.config.hasTargetTime)
    let (pipeline, said) = try opened(copy, transformer: second)
    #expect(said.contains { $0.contains("embedder alone") })
    #expect(pipeline.transformer.config.hasTargetTime)
    let whole = try ImagePipeline(ModelFolder(model), on: SharedEngine.get())
    #expect(try picture(pipeline) == picture(whole))
  }

  /// A file of LoRA for the attention of the first block of a model of 32 features.
  private func lora(_ name: String, sampling: SamplingCard? = nil) throws -> String {
    let engine = try SharedEngine.get()
    let path = "transformer.transformer_blocks.0.attn.to_q"
    func array(_ shape: [Int], _ factor: Float) throws -> ShardedArray {
      let count = shape.reduce(1, *)
      return try engine.array((0..<count).map { factor * Float($0 % 7 - 3) }, shape: shape)
    }
    let arrays = Named([
      ("\(path).lora_A.weight", try array([2, 32], 0.1)),
      ("\(path).lora_B.weight", try array([32, 2], 0.2)),
    ])
    let file = "\(folder.path)/\(name).safetensors"
    var metadata: [String: String] = [:]
    if let sampling { metadata[LoRAFile.samplingKey] = try sampling.text() }
    try WeightFiles.write(parameters: arrays, names: NameMap(), metadata: metadata, to: file)
    return file
  }

  private func opened(_ loras: [LoRAUse]) throws -> ImagePipeline {
    var replacements = ImagePipeline.Replacements()
    replacements.loras = loras
    return try ImagePipeline(
      ModelFolder(ImagePipelineTests.qwen), replacing: replacements, on: SharedEngine.get())
  }

  @Test func loraChangesPicturesByItsScale() throws {
    let file = try lora("style")
    let plain = try picture(opened([]))
    #expect(try picture(opened([LoRAUse(file, scale: 0)])) == plain)
    let once = try picture(opened([LoRAUse(file)]))
    #expect(once != plain)
    let halves = try picture(opened([LoRAUse(file, scale: 0.5), LoRAUse(file, scale: 0.5)]))
    #expect(zip(once, halves).allSatisfy { abs($0 - $1) < 1e-4 })
    #expect(try picture(opened([LoRAUse(file, scale: -1)])) != once)
  }

  @Test func loraTellsHowItIsSampled() throws {
    let card = SamplingCard(anyStep: true, timeConvention: .middle)
    let pipeline = try opened([LoRAUse(lora("few", sampling: card))])
    var request = ImageRequest(prompt: "a fox")
    (request.size, request.steps) = (ImageSize(height: 32, width: 32), 1)
    #expect(try pipeline.resolve(request).schedule == .anyStep(.preset(1)))
    request.guidance = 4
    #expect(throws: PipelineError.self) { try pipeline.resolve(request) }
    // The network gets the middle of the times t and 0, not t itself.
    #expect(try picture(pipeline) != picture(opened([LoRAUse(lora("plain"))])))
  }

  @Test func loraOfOtherNetworksIsRefused() throws {
    let file = try lora("other")
    var replacements = ImagePipeline.Replacements()
    replacements.loras = [LoRAUse(file)]
    #expect(throws: WeightsError.self) {
      try ImagePipeline(
        ModelFolder(ImagePipelineTests.zImage), replacing: replacements, on: SharedEngine.get())
    }
  }

  @Test func componentsOfOtherModelsAreRefused() throws {
    let error = #expect(throws: PipelineError.self) {
      try opened(ImagePipelineTests.qwen, transformer: ImagePipelineTests.zImage)
    }
    #expect("\(error!)".contains("do not fit each other"))
    let part = try file("part", from: ImagePipelineTests.qwen) { $0.contains("norm") }
    #expect(throws: (any Error).self) {
      try opened(ImagePipelineTests.qwen, transformer: part)
    }
  }

  @Test func foldersThatAreNoModelsAreNamed() throws {
    let error = #expect(throws: PipelineError.self) { try ModelFolder(folder.path) }
    #expect("\(error!)".contains("it is empty"))
    let index = "\(folder.path)/model_index.json"
    try "[1]".write(toFile: index, atomically: true, encoding: .utf8)
    #expect(throws: PipelineError.wrongIndex(path: index, reason: "it is not a JSON object")) {
      try ModelFolder(folder.path)
    }
    try #"{"_class_name": "X", "vae": ["diffusers", "Y"]}"#
      .write(toFile: index, atomically: true, encoding: .utf8)
    let model = try ModelFolder(folder.path)
    #expect(throws: PipelineError.noComponent(path: folder.path, component: "vae")) {
      try model.folder("vae")
    }
    #expect(throws: PipelineError.self) { try model.folder("transformer") }
    #expect(throws: PipelineError.self) { try ImagePipeline(model, on: SharedEngine.get()) }
  }

  @Test func modelsAreFoundByName() throws {
    let manager = FileManager.default
    let snapshot = "\(folder.path)/hub/models--Qwen--Qwen-Image/snapshots/abc"
    for path in ["\(folder.path)/models/Small", snapshot] {
      try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    let library = ModelLibrary(environment: [
      "TWINFLOW_MODELS": "\(folder.path)/models", "HF_HUB_CACHE": "\(folder.path)/hub",
    ])
    #expect(try library.path(of: "Small") == "\(folder.path)/models/Small")
    #expect(try library.path(of: "Qwen-Image") == snapshot)
    #expect(try library.path(of: "Qwen/Qwen-Image") == snapshot)
    #expect(try library.path(of: folder.path) == folder.path)
    let error = #expect(throws: PipelineError.self) { try library.path(of: "Qwen-Imge") }
    #expect("\(error!)".contains("Did you mean Qwen-Image?"))
  }
}

/// Lines that are added from anywhere.
private final class Lines: @unchecked Sendable {
  // Only one thread adds at a time.
  private(set) var all: [String] = []
  func add(_ line: String) { all.append(line) }
}
