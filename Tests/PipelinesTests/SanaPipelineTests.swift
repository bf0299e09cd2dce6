import Foundation
import Models
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// SANA and SANA-Sprint as a whole, on small ones with random weights.
@Suite struct SanaPipelineTests {
  private static let fixtures = ImagePipelineTests.fixtures
  static let sana = "\(fixtures)/pipe_sana_a/model"
  static let sprint = "\(fixtures)/pipe_sana_sprint_a/model"
  static let twin = "\(fixtures)/sampler_model_sana_a/model"

  private func pipeline(
    _ path: String, _ change: (inout ImagePipeline.Options) -> Void = { _ in }
  ) throws -> ImagePipeline {
    var options = ImagePipeline.Options()
    options.keepsComponents = true
    change(&options)
    return try ImagePipeline(ModelFolder(path), options, on: SharedEngine.get())
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

  @Test(arguments: SlowTests.arguments([sana], slow: [sprint, twin]))
  func aPictureDoesNotDependOnItsBatch(_ path: String) throws {
    let pipeline = try pipeline(path)
    let requests = try [("a fox", 5), ("a lighthouse in the storm", 6)].map {
      try pipeline.resolve(request($0.0, seed: UInt64($0.1)))
    }
    let together = try pipeline([requests])[0].array(of: Float.self)
    let apart = try pipeline(requests.map { [$0] }).flatMap { try $0.array(of: Float.self) }
    #expect(together.count == 2 * 64 * 96 * 3)
    #expect(zip(together, apart).allSatisfy { abs($0 - $1) < 1 / 255 })
  }

  @Test(arguments: [sana, sprint]) func guidanceChangesAPicture(_ path: String) throws {
    let pipeline = try pipeline(path)
    let first = try pixels(pipeline, request())
    #expect(try pixels(pipeline, request()) == first)
    #expect(try pixels(pipeline, request { $0.guidance = 4.5 }) == first)
    #expect(try pixels(pipeline, request { $0.guidance = 2 }) != first)
    #expect(try pixels(pipeline, request("a dog")) != first)
  }

  @Test func negativePromptsHaveNoInstruction() throws {
    let pipeline = try pipeline(Self.sana)
    let plain = try pipeline.tokens(["dark"], negatives: ["dark"])
    let prompt = try pipeline.tokens(["dark"])
    #expect(plain.dropped.isEmpty && plain.isPlain.isEmpty)
    #expect(prompt.dropped == 1..<pipeline.instructionTokens - 1)
    // The last token of the instruction is kept.
    #expect(prompt.keptCounts[0] > plain.keptCounts[0] - 1)
    #expect(
      try pixels(pipeline, request { $0.negative = "dark" })
        != pixels(pipeline, request { $0.negative = "bright" }))
  }

  @Test("A text has the same features whether or not others of a batch have the instruction")
  func mixedBatches() throws {
    let pipeline = try pipeline(Self.sana)
    func features(_ prompts: [String]) throws -> [[Float]] {
      let found = try pipeline.features(pipeline.tokens(prompts))
      let text = found.condition["text"]!
      let (all, shape) = (try text.array(of: Float.self), text.type.shape)
      return found.counts.enumerated().map { row, count in
        let start = row * shape[1] * shape[2]
        return Array(all[start..<start + count * shape[2]])
      }
    }
    let together = try features(["", "a fox", ""])
    let alone = [try features([""])[0], try features(["a fox"])[0]]
    for (found, expected) in zip(together, [alone[0], alone[1], alone[0]]) {
      #expect(found.count == expected.count)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test func promptsAreInLowerCase() throws {
    let pipeline = try pipeline(Self.sana)
    #expect(try pipeline.tokens([" A Red FOX\n"]) == pipeline.tokens(["a red fox"]))
    // As Python has them.
    for (text, lower) in [
      ("ΟΔΟΣ ΣΑΣ", "οδος σας"), ("Σ", "σ"), ("İX", "i\u{307}x"), ("\u{1F} A\u{A0}", "a"),
      ("ΑΣ'Α ΑΣ.", "ασ'α ας."), (" \n", ""),
    ] { #expect(Array(text.lowercasedAsPublished.unicodeScalars) == Array(lower.unicodeScalars)) }
  }

  @Test func longPromptsAreCutWithAWarning() throws {
    let pipeline = try pipeline(Self.sana)
    var said: [String] = []
    let long = String(repeating: "zebra ", count: 600)
    let tokens = try pipeline.tokens([long]) { said.append($0) }
    #expect(tokens.keptCounts == [300] && said.count == 1 && said[0].contains("takes 300"))
    let negative = try pipeline.tokens([long], negatives: [long]) { said.append($0) }
    #expect(negative.keptCounts == [300] && negative.counts == [300])
  }

  @Test func schedulesFollowTheFolder() throws {
    let plain = try pipeline(Self.sana).resolve(request { ($0.steps, $0.size) = (nil, nil) })
    guard case .scheduled(.dpmSolver(let solver), steps: 20) = plain.schedule else {
      Issue.record("\(plain.schedule)")
      return
    }
    #expect(solver.shift == 3 && plain.guidance == 4.5 && plain.negative == "")
    #expect(plain.size == ImageSize(height: 1024, width: 1024))
    let sprint = try pipeline(Self.sprint).resolve(request { $0.steps = nil })
    guard case .scheduled(.consistency, steps: 2) = sprint.schedule else {
      Issue.record("\(sprint.schedule)")
      return
    }
    #expect(sprint.guidance == 4.5 && sprint.negative == nil)
    let twin = try pipeline(Self.twin).resolve(request { $0.steps = 2 })
    #expect(twin.schedule == .anyStep(.preset(2)) && twin.guidance == nil)
  }

  @Test func whatHasNoEffectIsRefused() throws {
    let sprint = try pipeline(Self.sprint)
    #expect(throws: PipelineError.noNegative(pipeline: "SanaSprintPipeline")) {
      try sprint.resolve(request { $0.negative = "dark" })
    }
    #expect(throws: PipelineError.noShift(pipeline: "SanaSprintPipeline")) {
      try sprint.resolve(request { $0.shift = 3 })
    }
    #expect(
      throws: PipelineError.wrongSize(
        ImageSize(height: 48, width: 64), multiple: 32,
        nearest: ImageSize(height: 64, width: 64))
    ) { try sprint.resolve(request { $0.size = ImageSize(height: 48, width: 64) }) }
  }

  @Test(arguments: [sana, sprint]) func plansAreKnownBeforeWeightsAreLoaded(_ path: String) throws {
    let pipeline = try pipeline(path)
    let plan = try pipeline.plan([pipeline.resolve(request())])
    #expect(plan.phases.map(\.name) == ["encode the prompt", "denoise", "decode"])
    #expect(plan.phases.allSatisfy { $0.weights > 0 && $0.activations > 0 })
    #expect(!pipeline.transformer.component.isLoaded)
  }

  /// The kernels with one tap are matrices in a quantized folder.
  @Test func quantizedFoldersMakePictures() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/small"
    _ = try QuantizedFolder(Self.sana).write(to: path, as: .int8)
    let files = try WeightFiles(path: path + "/transformer")
    let kernel = "transformer_blocks.0.ff.conv_point.weight"
    #expect(files.types[kernel] == TensorType([32, 80], .int8))
    #expect(files.types["transformer_blocks.0.ff.conv_depth.weight"]?.shape == [160, 1, 3, 3])
    let made = try pixels(pipeline(path), request())
    let whole = try pixels(pipeline(Self.sana), request())
    #expect(made != whole)
    // Encoded in 8 bits too.
    let difference = zip(made, whole).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) }
    #expect(difference / Double(made.count) < 0.1)
  }

  @Test func tilesOfTheAutoencoderAreBlended() throws {
    let pipeline = try pipeline(Self.sana)
    let autoencoder = try #require(pipeline.codec.autoencoder)
    #expect(autoencoder.tile.size == 512 && autoencoder.tile.stride == 448)
    let small = try Autoencoder(
      folder: "\(Self.sana)/vae", tile: TileSize(size: 64, stride: 32, reduction: 32),
      on: SharedEngine.get())
    let values: [Float] = (0..<96).map { Float($0 % 7) / 7 - 0.5 }
    let latents = try SharedEngine.get().array(values, shape: [1, 3, 4, 8])
    let whole = try small.decode(latents, tile: .never)
    let tiled = try small.decode(latents, tile: .always)
    #expect(tiled.type == whole.type)
    #expect(try tiled.array(of: Float.self) != whole.array(of: Float.self))
    #expect(try small.encode(whole, tile: .always).type == latents.type)
  }
}
