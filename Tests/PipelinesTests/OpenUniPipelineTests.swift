import Foundation
import Layers
import Models
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// OpenUni as a whole, on a small one with random weights in the form of the published files.
@Suite struct OpenUniPipelineTests {
  static let model = "\(ImagePipelineTests.fixtures)/pipe_openuni_a/model"
  private static let checkpoint = "\(model)/transformer/openuni.pth"

  private func pipeline(
    _ path: String = model, transformer: String? = nil
  ) throws -> ImagePipeline {
    var options = ImagePipeline.Options()
    options.keepsComponents = true
    var replacements = ImagePipeline.Replacements()
    replacements.transformer = transformer
    return try ImagePipeline(
      ModelFolder(path), replacing: replacements, options, on: SharedEngine.get())
  }

  private func request(
    _ prompt: String = "a fox", seed: UInt64 = 1, _ change: (inout ImageRequest) -> Void = { _ in }
  ) -> ImageRequest {
    var request = ImageRequest(prompt: prompt, seed: seed)
    (request.size, request.steps) = (ImageSize(height: 64, width: 96), 3)
    change(&request)
    return request
  }

  private func pixels(_ pipeline: ImagePipeline, _ request: ImageRequest) throws -> [Float] {
    try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
  }

  @Test func aPictureDoesNotDependOnItsBatch() throws {
    let pipeline = try pipeline()
    let requests = try [("a fox", 5), ("a lighthouse in the storm, by an old master", 6)].map {
      try pipeline.resolve(request($0.0, seed: UInt64($0.1)))
    }
    let together = try pipeline([requests])[0].array(of: Float.self)
    let apart = try pipeline(requests.map { [$0] }).flatMap { try $0.array(of: Float.self) }
    #expect(together.count == 2 * 64 * 96 * 3)
    #expect(zip(together, apart).allSatisfy { abs($0 - $1) < 1 / 255 })
  }

  @Test func guidanceChangesAPicture() throws {
    let pipeline = try pipeline()
    let first = try pixels(pipeline, request())
    #expect(try pixels(pipeline, request()) == first)
    #expect(try pixels(pipeline, request { $0.guidance = 4.5 }) == first)
    #expect(try pixels(pipeline, request { $0.guidance = 2 }) != first)
    #expect(try pixels(pipeline, request { $0.negative = "dark" }) != first)
    #expect(try pixels(pipeline, request("a dog")) != first)
    let resolved = try pipeline.resolve(request { $0.steps = nil })
    guard case .scheduled(.dpmSolver, steps: 20) = resolved.schedule else {
      Issue.record("\(resolved.schedule)")
      return
    }
    #expect(resolved.guidance == 4.5 && resolved.negative == "")
  }

  @Test func promptsStandInTheChatTemplate() throws {
    let pipeline = try pipeline()
    let end = "<|im_end|>\n<|im_start|>assistant\n<img>"
    for (prompt, text) in [
      (" A red\tfox \n", "Generate an image: A red\tfox"), ("", "Generate an image."),
    ] {
      let expected = pipeline.tokenizer!.encode("<|im_start|>user\n\(text)\(end)")
      #expect(try pipeline.tokens([prompt]).prompts[0].tokens == expected)
    }
    let tokens = try pipeline.tokens(["a fox", "a lighthouse in the storm, by an old master"])
    #expect(tokens.keptCounts == [8, 8] && tokens.keptLength == 8 && !tokens.isPadded)
    let features = try pipeline.features(tokens)
    #expect(features.condition["text"]?.type.shape == [2, 8, 48] && features.counts == [8, 8])
    #expect(features.condition["text_mask"] == nil)
  }

  @Test func longPromptsAreCutBeforeTheAnswer() throws {
    let pipeline = try pipeline()
    var said: [String] = []
    let tokens = try pipeline.tokens([String(repeating: "zebra ", count: 2500)]) {
      said.append($0)
    }
    let ids = tokens.prompts[0].tokens
    #expect(ids.count == 2048 && said.count == 1 && said[0].contains("takes 2048"))
    let encode = { (text: String) in pipeline.tokenizer!.encode(text) }
    #expect(ids.starts(with: encode("<|im_start|>user\nGenerate an image: zebra zebra")))
    let end = encode("<|im_end|>\n<|im_start|>assistant\n<img>")
    #expect(ids.suffix(end.count) == end[...])
  }

  @Test func plansAreKnownBeforeWeightsAreLoaded() throws {
    let pipeline = try pipeline()
    let plan = try pipeline.plan([pipeline.resolve(request())])
    #expect(plan.phases.map(\.name) == ["encode the prompt", "denoise", "decode"])
    #expect(plan.phases.allSatisfy { $0.weights > 0 && $0.activations > 0 })
    #expect(!pipeline.encoder.component.isLoaded && !pipeline.transformer.component.isLoaded)
  }

  @Test func quantizedFoldersMakePictures() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/small"
    let written = try QuantizedFolder(Self.model).write(to: path, as: .int8)
    #expect(Set(written.map(\.network)) == ["text_encoder", "transformer"])
    let made = try pixels(pipeline(path), request())
    let whole = try pixels(pipeline(), request())
    let difference = zip(made, whole).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) }
    #expect(made != whole && difference / Double(made.count) < 0.1)
  }
}

/// Where OpenUni's connector is.
extension OpenUniPipelineTests {
  /// A model without weights of the transformer, as a user sets it up of SANA's and InternVL3's folders.
  private func bare(_ folder: TemporaryFolder, index: (inout [String: Any]) -> Void = { _ in })
    throws -> String
  {
    let path = "\(folder.path)/model"
    try FileManager.default.copyItem(atPath: Self.model, toPath: path)
    try FileManager.default.removeItem(atPath: "\(path)/transformer/openuni.pth")
    let place = URL(fileURLWithPath: "\(path)/model_index.json")
    var json = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: place)) as? [String: Any])
    index(&json)
    try JSONSerialization.data(withJSONObject: json).write(to: place)
    return path
  }

  /// Some arrays of the checkpoint in a file.
  private func write(
    to path: String, where isIncluded: (String) -> Bool,
    changing change: (inout Named<ShardedArray>) throws -> Void = { _ in }
  ) throws {
    let engine = try SharedEngine.get()
    let files = try WeightFiles(path: Self.checkpoint)
    var arrays = Named(
      try files.types.pairs.filter { isIncluded($0.name) }.map { name, type in
        let bytes = files.bytes(name, Region(whole: type.shape))
        return (name, try engine.array(HostArray(type, bytes: bytes)))
      })
    try change(&arrays)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try WeightFiles.write(parameters: arrays, names: NameMap(), metadata: [:], to: path)
  }

  private func isOfTransformer(_ name: String) -> Bool { name.hasPrefix("transformer.") }

  private func isOfConnector(_ name: String) -> Bool { !isOfTransformer(name) }

  @Test func aCheckpointReplacesTransformerAndConnector() throws {
    let folder = try TemporaryFolder()
    let path = try bare(folder)
    let expected = try pixels(pipeline(), request())
    #expect(try pixels(pipeline(path, transformer: Self.checkpoint), request()) == expected)
    // Other weights of the connector in the model's own folder are not used then.
    try write(to: "\(path)/transformer/a.safetensors", where: { _ in true }) { arrays in
      let engine = try SharedEngine.get()
      let type = arrays["meta_queries"]!.type
      arrays["meta_queries"] = try engine.array(
        HostArray(type, bytes: [UInt8](repeating: 0, count: type.byteCount)))
    }
    #expect(try pixels(pipeline(path), request()) != expected)
    #expect(try pixels(pipeline(path, transformer: Self.checkpoint), request()) == expected)
    // A transformer alone leaves it.
    let alone = "\(folder.path)/transformer.safetensors"
    try write(to: alone, where: isOfTransformer)
    let pipeline = try pipeline(path, transformer: alone)
    #expect(pipeline.encoder.component.files.contains("\(path)/transformer/a.safetensors"))
  }

  @Test func theConnectorMayHaveAFolder() throws {
    let folder = try TemporaryFolder()
    let path = try bare(folder) { $0["connector"] = ["twinflow", "OpenUniConnector"] }
    try write(to: "\(path)/connector/model.safetensors", where: isOfConnector)
    try write(to: "\(path)/transformer/model.safetensors", where: isOfTransformer)
    let expected = try pixels(pipeline(), request())
    #expect(try pixels(pipeline(path), request()) == expected)
    // With a config, which says what shapes do not.
    try Data(
      #"""
      {"_class_name": "OpenUniConnector", "hidden_size": 128, "intermediate_size": 32,
       "num_hidden_layers": 2, "num_attention_heads": 4, "num_queries": 8, "caption_channels": 48}
      """#.utf8
    ).write(to: URL(fileURLWithPath: "\(path)/connector/config.json"))
    #expect(try pixels(pipeline(path), request()) != expected)
    let components = try WeightInspection(path).components
    let own = try #require(components.first { $0.name == "connector" })
    #expect(own.className == "OpenUniConnector" && own.memory != nil)
    // The index of what is trained names its place.
    let run = "\(folder.path)/run"
    try ModelFolder(path).writeIndex(of: SanaConfig(), in: run)
    #expect(try ModelFolder(run).folder("connector").hasSuffix("model/connector"))
  }

  @Test func modelsWithoutAConnectorAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = try bare(folder)
    try write(to: "\(path)/transformer/model.safetensors", where: isOfTransformer)
    let place = "\(path)/transformer/model.safetensors"
    #expect(throws: PipelineError.noConnector(path: path, place: place)) { try pipeline(path) }
    // Half of one is not one.
    try write(to: place, where: { $0 != "meta_queries" })
    let half = #expect(throws: PublishedConfigError.self) { try pipeline(path) }
    #expect(half?.reason == "it has no meta_queries")
    try write(to: place, where: { $0 != "connector.layers.1.mlp.fc2.bias" })
    let missing = #expect(throws: WeightsError.self) { try pipeline(path) }
    #expect(missing?.description.contains("connector.layers.1.mlp.fc2.bias") == true)
  }

  @Test func connectorsOfOtherWidthsAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = try bare(folder) { $0["connector"] = ["twinflow", "OpenUniConnector"] }
    try write(to: "\(path)/transformer/model.safetensors", where: isOfTransformer)
    func expect(_ width: Int, _ output: Int, _ hint: String) throws {
      var config = OpenUniConnectorConfig()
      (config.width, config.hidden, config.depth) = (width, 8, 1)
      (config.heads, config.queries, config.outputWidth) = (1, 2, output)
      let engine = try SharedEngine.get()
      let specs = Scope.declare { OpenUniConnector($0, config) }
      let arrays = try specs.types().mapValues {
        try engine.array(HostArray($0, bytes: [UInt8](repeating: 0, count: $0.byteCount)))
      }
      try FileManager.default.createDirectory(
        atPath: "\(path)/connector", withIntermediateDirectories: true)
      try WeightFiles.write(
        parameters: arrays, names: NameMap(), to: "\(path)/connector/model.safetensors")
      let error = #expect(throws: PipelineError.self) { try pipeline(path) }
      #expect(error?.description.contains(hint) == true, "\(error.map { "\($0)" } ?? "")")
    }
    try expect(64, 48, "hidden states of 64 features, and the language model makes 128")
    try expect(128, 40, "takes text of 48 features, and the text encoder makes 40")
  }

  /// What Python would run is named, and refused.
  @Test func checkpointsWithCodeAreRefused() throws {
    let code = "\(ImagePipelineTests.fixtures)/../torch/code.pt"
    let error = #expect(throws: WeightsError.self) { try pipeline(transformer: code) }
    #expect(error?.description.contains("argparse.Namespace") == true)
  }

  @Test func otherLanguageModelsAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/model"
    try FileManager.default.copyItem(atPath: Self.model, toPath: path)
    try Data(#"{"model_type": "llama"}"#.utf8)
      .write(to: URL(fileURLWithPath: "\(path)/text_encoder/config.json"))
    let error = #expect(throws: PipelineError.self) { try pipeline(path) }
    #expect(error?.description.contains("llama") == true)
  }
}
