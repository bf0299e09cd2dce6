import Files
import Foundation
import Models
import Pictures
import Runtime
import Tensors
import TestModels
import TestSupport
import Testing

@testable import Pipelines

/// Models of a `TextDiT`, whose text encoder is elsewhere, on random weights.
@Suite struct TextDiTPipelineTests {
  private let folder: TemporaryFolder
  private let encoder: String

  init() throws {
    folder = try TemporaryFolder()
    encoder = "\(folder.path)/bert"
    try BertFolder.write(encoder)
  }

  private static func config(targets: Bool = false) -> TextDiTConfig {
    SmallTextDiT.config(targets: targets, depth: 2)
  }

  /// Writes a model.
  @discardableResult
  private func model(
    _ name: String, _ config: TextDiTConfig = config(), guidance: Double = 0
  ) throws -> String {
    let path = "\(folder.path)/\(name)"
    try SmallTextDiT.write(path, encoder: encoder, config, guidance: guidance, scale: 0.3)
    return path
  }

  private func opened(
    _ path: String, _ change: (inout ImagePipeline.Replacements) -> Void = { _ in }
  ) throws -> ImagePipeline {
    var replacements = ImagePipeline.Replacements()
    change(&replacements)
    return try ImagePipeline(
      ModelFolder(path), replacing: replacements, on: SharedEngine.get())
  }

  private func pixels(
    _ pipeline: ImagePipeline, _ prompt: String = "a red fox",
    _ change: (inout ImageRequest) -> Void = { _ in }
  ) throws -> [Float] {
    var request = ImageRequest(prompt: prompt, seed: 3)
    request.steps = 2
    change(&request)
    return try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
  }

  @Test func aPictureFollowsItsPromptSizeAndGuidance() throws {
    let pipeline = try opened(model("model"))
    let first = try pixels(pipeline)
    #expect(first.count == 16 * 16 * 3 && first.allSatisfy { $0.isFinite })
    #expect(try pixels(pipeline) == first)
    #expect(try pixels(pipeline, "a green house") != first)
    #expect(try pixels(pipeline) { $0.seed = 4 } != first)
    #expect(try pixels(pipeline) { $0.guidance = 0 } != first)
    #expect(try pixels(pipeline) { $0.negative = "the snow" } != first)
    let wide = try pixels(pipeline) { $0.size = ImageSize(height: 8, width: 24) }
    #expect(wide.count == 8 * 24 * 3)
    #expect(pipeline.sizeMultiple == 4)
  }

  /// Neither the other prompts of a batch nor the padding matter.
  @Test func promptsAreEncodedEachByItself() throws {
    let pipeline = try opened(model("model"))
    let prompts = ["a fox", "the red cat on a hill"]
    let together = try pipeline.features(pipeline.tokens(prompts))
    #expect(together.counts == [4, 8])
    #expect(together.condition["text"]!.type.shape == [2, 10, 12])
    for (row, prompt) in prompts.enumerated() {
      let alone = try pipeline.features(pipeline.tokens([prompt]))
      let (one, all) = try (
        alone.condition["text"]!.array(of: Float.self),
        together.condition["text"]!.array(of: Float.self)
      )
      let used = 12 * together.counts[row]
      expectClose(
        one[..<used].map { Double($0) }, all[row * 120..<row * 120 + used].map { Double($0) },
        relative: 1e-5, absolute: 1e-5)
      #expect(one[used...].allSatisfy { $0 == 0 })
    }
  }

  @Test func longPromptsKeepTheirEndToken() throws {
    let pipeline = try opened(model("model"))
    var said: [String] = []
    let long = "a red fox in the snow on a hill of houses"
    let tokens = try pipeline.tokens([long]) { said.append($0) }
    #expect(tokens.prompts[0].tokens.map { Int($0) } == [2, 4, 5, 7, 11, 12, 13, 18, 4, 3])
    #expect(
      said == [
        "The prompt has 14 tokens with its template, and the model takes 10: it is cut before "
          + "\"hill of houses\"."
      ])
  }

  @Test func schedulesFollowTheWeights() throws {
    let request = ImageRequest(prompt: "a fox")
    let base = try opened(model("base")).resolve(request)
    #expect(base.schedule.count == 50 && base.guidance == 2 && base.negative == "")
    #expect(base.size == ImageSize(height: 16, width: 16))
    let recorded = try opened(model("recorded", guidance: 3.5)).resolve(request)
    #expect(recorded.guidance == 3.5)
    let pipeline = try opened(model("twin", Self.config(targets: true)))
    let twin = try pipeline.resolve(request)
    #expect(twin.schedule == .anyStep(.preset(2)) && twin.guidance == nil)
    #expect(try pixels(pipeline) { $0.steps = 1 }.allSatisfy { $0.isFinite })
  }

  @Test func withoutAnAutoencoderThereIsNothingToDecode() throws {
    let pipeline = try opened(model("model"))
    let resolved = try pipeline.resolve(ImageRequest(prompt: "a fox"))
    #expect(try pipeline.plan([resolved]).phases.map(\.name) == ["encode the prompt", "denoise"])
    let cache = HashCache(directory: folder.path)
    #expect(try pipeline.hashes(cache).keys.sorted() == ["text_encoder", "transformer"])
    #expect(pipeline.inputFiles.count == 2)
    let path = try model("other")
    let error = #expect(throws: PipelineError.self) { try opened(path) { $0.vae = "vae" } }
    #expect("\(error!)".contains("works on pixels"))
  }

  @Test func whatIsElsewhereIsShown() throws {
    let path = try model("model", Self.config(targets: true))
    let inspection = try WeightInspection(path)
    #expect(inspection.components.map(\.name) == ["transformer"])
    #expect(inspection.components[0].problem == nil && inspection.components[0].memory != nil)
    #expect(inspection.others == ["text_encoder (\(encoder))", "tokenizer (\(encoder))"])
  }

  /// A network that is yet to be trained is enough to encode.
  @Test func encodersNeedNoTransformer() throws {
    let encoders = try ModelFolder(encoders: encoder)
    let engine = try SharedEngine.get()
    let pipeline = try ImagePipeline(encoders, network: Self.config(), on: engine)
    #expect(try pipeline.features(pipeline.tokens(["a fox"])).counts == [4])
    #expect(throws: PipelineError.noComponent(path: encoder, component: "transformer")) {
      try pixels(pipeline)
    }
    #expect(throws: PipelineError.self) { try ImagePipeline(encoders, on: engine) }
    var other = Self.config()
    other.textWidth = 13
    let error = #expect(throws: PipelineError.self) {
      try ImagePipeline(encoders, network: other, on: engine)
    }
    #expect("\(error!)".contains("takes text of 13 features, and the text encoder makes 12"))
  }

  @Test("A model that comes with the program is found by its name and its path, from any folder")
  func sharedModels() throws {
    let place = try model("share/Assets/drawings")
    let library = ModelLibrary(
      environment: ["XDG_CACHE_HOME": "\(folder.path)/cache"],
      shared: SharedFiles(
        environment: ["TWINFLOW_SHARE": "\(folder.path)/share"], executable: nil))
    #expect(try library.path(of: "drawings") == place)
    #expect(try library.path(of: "Assets/drawings") == place)
    #expect(throws: FileError.self) { try library.path(of: "Assets/none") }
  }

  @Test func placesAreNamedWhereTheyAreMissing() throws {
    let library = ModelLibrary(environment: ["XDG_CACHE_HOME": "\(folder.path)/cache"])
    let missing = #expect(throws: PipelineError.self) {
      try library.path(of: "all-MiniLM-L6-v2")
    }
    #expect("\(missing!)".contains("scripts/fetch-minilm"))
    let found = "\(folder.path)/cache/twinflow/models/all-MiniLM-L6-v2"
    try FileManager.default.createDirectory(atPath: found, withIntermediateDirectories: true)
    #expect(try library.path(of: "all-MiniLM-L6-v2") == found)

    let path = try model("model")
    let index = URL(filePath: "\(path)/model_index.json")
    let text = try String(contentsOf: index, encoding: .utf8)
    try text.replacing("pretrained_model_name_or_path", with: "repository")
      .write(to: index, atomically: true, encoding: .utf8)
    let error = #expect(throws: PipelineError.self) { try ModelFolder(path) }
    #expect("\(error!)".contains("pretrained_model_name_or_path"))
    try text.replacing(encoder, with: "\(folder.path)/nowhere")
      .write(to: index, atomically: true, encoding: .utf8)
    #expect(throws: PipelineError.self) { try opened(path) }
  }
}
