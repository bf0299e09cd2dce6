import Files
import Foundation
import Models
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Pipelines

/// Stable Diffusion 3.5 as a whole, on a small one with random weights.
@Suite struct StableDiffusion3Tests {
  static let model = "\(ImagePipelineTests.fixtures)/pipe_sd3_a/model"

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A copy of the model.
  ///
  /// - Parameter change: changes `model_index.json`.
  private func copy(
    without components: [String] = [], _ change: (inout [String: Any]) -> Void = { _ in }
  ) throws -> String {
    let path = "\(folder.path)/model"
    try FileManager.default.copyItem(atPath: Self.model, toPath: path)
    for name in components { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }
    let file = URL(filePath: "\(path)/model_index.json")
    var index = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    change(&index)
    try JSONSerialization.data(withJSONObject: index).write(to: file)
    return path
  }

  private func pipeline(
    _ path: String = model, replacing replacements: ImagePipeline.Replacements = .init(),
    log: @escaping @Sendable (String) -> Void = { _ in },
    change: (inout ImagePipeline.Options) -> Void = { _ in }
  ) throws -> ImagePipeline {
    var options = ImagePipeline.Options()
    options.keepsComponents = true
    change(&options)
    return try ImagePipeline(
      ModelFolder(path), replacing: replacements, options, on: SharedEngine.get(), log: log)
  }

  private func pixels(
    _ pipeline: ImagePipeline, _ prompt: String = "a red fox",
    _ change: (inout ImageRequest) -> Void = { _ in }
  ) throws -> [Float] {
    var request = ImageRequest(prompt: prompt, seed: 1)
    (request.size, request.steps) = (ImageSize(height: 32, width: 48), 2)
    change(&request)
    return try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
  }

  @Test func standardSettingsAreThePublishedOnes() throws {
    let pipeline = try pipeline()
    let request = try pipeline.resolve(ImageRequest(prompt: "a fox"))
    #expect(request.guidance == 7 && request.negative == "" && request.skipping == nil)
    #expect(request.size == ImageSize(height: 128, width: 128))
    guard case .scheduled(.euler(let scheduler), steps: 28) = request.schedule else {
      Issue.record("\(request.schedule)")
      return
    }
    #expect(scheduler.shift == .fixed(3) && scheduler.lastTime == .trained)
    #expect(pipeline.sizeMultiple == 16 && pipeline.textMultiple == 1)
    let tokens = try pipeline.tokens(["a fox", "a"])
    #expect(tokens.counts == [333, 333] && !tokens.isPadded)
    #expect(tokens.joint.map { $0.rows[0].count } == [77, 77, 256])
  }

  /// Each way to leave T5 out gives the same pictures.
  @Test func t5IsLeftOut() throws {
    let expected = try pixels(pipeline(change: { $0.usesT5 = false }))
    #expect(try pixels(pipeline()) != expected)
    let logged = Messages()
    let missing = try pipeline(
      copy(without: ["text_encoder_3", "tokenizer_3"]), log: { logged.add($0) })
    #expect(logged.all.contains { $0.contains("without T5") })
    #expect(try pixels(missing) == expected)
    try FileManager.default.removeItem(atPath: "\(folder.path)/model")
    let null = try copy { index in
      for name in ["text_encoder_3", "tokenizer_3"] { index[name] = [NSNull(), NSNull()] }
    }
    #expect(try pixels(pipeline(null)) == expected)
    // All tokens are there, those of T5 as zeros.
    #expect(try missing.tokens(["a"]).counts == [333])
    let features = try missing.features(missing.tokens(["a"])).condition["text"]!
    let values = try features.array(of: Float.self)
    #expect(features.type.shape == [1, 333, 48])
    #expect(values[(77 * 48)...].allSatisfy { $0 == 0 })
  }

  @Test(arguments: ["text_encoder", "text_encoder_2", "tokenizer_2"])
  func clipsAreNeeded(_ component: String) throws {
    let path = try copy(without: [component])
    #expect(throws: PipelineError.noComponent(path: path, component: component)) {
      try pipeline(path)
    }
  }

  @Test func aCLIPWithoutAProjectionIsRefused() throws {
    let path = try copy()
    let file = "\(path)/text_encoder/config.json"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try text.replacing("CLIPTextModelWithProjection", with: "CLIPTextModel")
      .write(toFile: file, atomically: true, encoding: .utf8)
    let error = #expect(throws: PipelineError.self) { try pipeline(path) }
    #expect(error?.description.contains("no projection") == true, "\(error?.description ?? "")")
  }

  @Test func encodersComeFromElsewhere() throws {
    let expected = try pixels(pipeline())
    let path = try copy()
    var replacements = ImagePipeline.Replacements()
    replacements.textEncoder = path
    #expect(try pixels(pipeline(replacing: replacements)) == expected)
    replacements.textEncoder = "\(path)/text_encoder_3"
    #expect(try pixels(pipeline(replacing: replacements)) == expected)
    replacements.textEncoder = "\(path)/text_encoder_3/model.safetensors"
    let alone = try pipeline(replacing: replacements)
    #expect(try pixels(alone) == expected)
    #expect(alone.encoder.component.files.contains("\(path)/text_encoder_3/model.safetensors"))
    try FileManager.default.removeItem(atPath: "\(path)/text_encoder_3")
    replacements.textEncoder = path
    #expect(
      try pixels(pipeline(replacing: replacements))
        == pixels(pipeline(change: { $0.usesT5 = false })))
  }

  @Test func longPromptsAreCutForEachEncoder() throws {
    let pipeline = try pipeline()
    var sentences: [String] = []
    _ = try pipeline.tokens([String(repeating: "a ", count: 20)]) { sentences.append($0) }
    #expect(sentences.isEmpty)
    _ = try pipeline.tokens([String(repeating: "a snowy fox ", count: 400)]) {
      sentences.append($0)
    }
    #expect(sentences.count == 1)
    #expect(sentences[0].contains("CLIP takes 77") && sentences[0].contains("T5 takes 256"))
    #expect(sentences[0].components(separatedBy: "CLIP takes").count == 2)
  }

  @Test func skippedBlocksGuideSomeSteps() throws {
    let pipeline = try pipeline()
    func made(_ skipping: LayerSkipping?) throws -> [Float] {
      try pixels(pipeline) { ($0.skipping, $0.steps, $0.guidance) = (skipping, 4, 3) }
    }
    let expected = try made(nil)
    #expect(try made(LayerSkipping(layers: [1], scale: 2, start: 0, stop: 0.6)) != expected)
    let without = try made(LayerSkipping(layers: [1], scale: 0, start: 0, stop: 1))
    #expect(zip(without, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    // No step is within these fractions.
    #expect(try made(LayerSkipping(layers: [1], scale: 2, start: 0.3, stop: 0.5)) == expected)
    // As published, neither end is included.
    let rule = LayerSkipping()
    #expect((0..<28).filter { rule.guides($0, of: 28) } == Array(1...5))
    #expect((0..<10).filter { rule.guides($0, of: 10) } == [1])
  }

  @Test func impossibleRequestsAreNamed() throws {
    let pipeline = try pipeline()
    func error(_ change: (inout ImageRequest) -> Void) -> PipelineError? {
      #expect(throws: PipelineError.self) {
        var request = ImageRequest(prompt: "a fox")
        change(&request)
        _ = try pipeline.resolve(request)
      }
    }
    #expect(
      error { $0.skipping = LayerSkipping(layers: [1, 3]) } == .unknownLayer(3, count: 3))
    #expect(
      error { ($0.skipping, $0.guidance) = (LayerSkipping(layers: [1]), 1) }
        == .skippingWithoutGuidance(start: 1))
    let large = ImageSize(height: 64, width: 272)
    #expect(error { $0.size = large } == .tooLargeSize(large, largest: 256))
    let other = try ImagePipeline(
      ModelFolder(ImagePipelineTests.zImage), ImagePipeline.Options(), on: SharedEngine.get())
    #expect(throws: PipelineError.noLayerSkipping(pipeline: "ZImagePipeline")) {
      var request = ImageRequest(prompt: "a fox")
      request.skipping = LayerSkipping()
      _ = try other.resolve(request)
    }
  }

  @Test func encodedPromptsGiveTheSamePictures() throws {
    let pipeline = try pipeline()
    let prompts = ["a fox", "a lighthouse by the sea"]
    var request = ImageRequest(prompt: "")
    (request.size, request.steps, request.guidance) = (ImageSize(height: 32, width: 48), 2, 3)
    let encoded = try EncodedPrompts(prompts, like: request, by: pipeline)
    let tokens = try pipeline.tokens(prompts)
    let expected = try pipeline.features(tokens).condition
    let found = try encoded.batch(prompts, on: SharedEngine.get()).condition
    for name in ["text", "pooled"] {
      let pair = try [found, expected].map { try $0[name]!.array(of: Float.self) }
      #expect(zip(pair[0], pair[1]).allSatisfy { abs($0 - $1) < 1e-4 } && pair[0].count > 2)
    }
    #expect(try found["text_mask"]!.array(of: Int32.self) == [333, 333])
  }

  @Test func plansAreKnownBeforeWeightsAreLoaded() throws {
    let pipeline = try pipeline()
    var request = ImageRequest(prompt: "a fox")
    request.size = ImageSize(height: 32, width: 48)
    let plain = try pipeline.plan([pipeline.resolve(request)])
    request.skipping = LayerSkipping(layers: [0, 1])
    let skipping = try pipeline.plan([pipeline.resolve(request)])
    #expect(plain.phases.map(\.name) == skipping.phases.map(\.name) && plain.phases.count == 3)
    #expect(!pipeline.encoder.component.isLoaded && !pipeline.transformer.component.isLoaded)
  }
}

/// Sentences of a log.
private final class Messages: Sendable {
  private let sentences = Mutex<[String]>([])

  func add(_ sentence: String) { sentences.withLock { $0.append(sentence) } }
  var all: [String] { sentences.withLock { $0 } }
}
