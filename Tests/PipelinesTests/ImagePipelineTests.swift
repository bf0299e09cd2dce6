import Flow
import Foundation
import Models
import Pictures
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Published models as a whole, on small ones with random weights.
@Suite struct ImagePipelineTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").path
  static let qwen = "\(fixtures)/pipe_qwenimage_a/model"
  static let twin = "\(fixtures)/sampler_model_qwenimage_a/model"
  static let zImage = "\(fixtures)/pipe_zimage_a/model"

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
    request.size = ImageSize(height: 32, width: 48)
    request.steps = 2
    change(&request)
    return request
  }

  @Test(arguments: SlowTests.arguments([qwen], slow: [twin, zImage]))
  func aPictureDoesNotDependOnItsBatch(_ path: String) throws {
    let pipeline = try pipeline(path)
    let requests = try [("a fox", 5), ("一只橘猫坐在窗台上", 6)].map {
      try pipeline.resolve(request($0.0, seed: UInt64($0.1)))
    }
    let together = try pipeline([requests])[0].array(of: Float.self)
    let apart = try pipeline(requests.map { [$0] }).flatMap { try $0.array(of: Float.self) }
    #expect(together.count == 2 * 32 * 48 * 3)
    let most = zip(together, apart).map { abs($0 - $1) }.max()!
    #expect(most < 1 / 255)
    // The noise is the same bit for bit, also that of the steps.
    func noise(_ seeds: [UInt64]) throws -> [[Float]] {
      let keys = try SharedEngine.get().array(
        seeds.flatMap { [$0, 0] }, shape: [seeds.count, 2])
      let size = ImageSize(height: 32, width: 48)
      let start = try pipeline.denoiser(batch: seeds.count, size)
        .noise(Named([("key", keys)]), steps: 3)
      let all = try start["noise"]!.array(of: Float.self)
      let row = all.count / seeds.count
      return seeds.indices.map { Array(all[$0 * row..<($0 + 1) * row]) }
    }
    let three = try noise([7, 8, 9])
    #expect(try noise([8])[0] == three[1])
    #expect(three[0] != three[1])
  }

  @Test func seedsAndPromptsChangeAPicture() throws {
    let pipeline = try pipeline(Self.qwen)
    func pixels(_ request: ImageRequest) throws -> [Float] {
      try pipeline([[pipeline.resolve(request)]])[0].array(of: Float.self)
    }
    let first = try pixels(request())
    #expect(try pixels(request()) == first)
    #expect(try pixels(request(seed: 2)) != first)
    #expect(try pixels(request("a dog")) != first)
    #expect(
      try pixels(request { ($0.guidance, $0.negative) = (3, "dark") })
        != pixels(request { ($0.guidance, $0.negative) = (3, "bright") }))
  }

  @Test func componentsAreReleasedInTurn() throws {
    let pipeline = try pipeline(Self.qwen) { $0.keepsComponents = false }
    var loaded: [String] = []
    let observer = { (progress: ImagePipeline.Progress) in
      guard case .phase(let phase) = progress else { return }
      let now = [
        pipeline.encoder.component.isLoaded, pipeline.transformer.component.isLoaded,
        pipeline.codec.component!.isLoaded,
      ]
      loaded.append("\(phase.rawValue): \(now.filter { $0 }.count)")
    }
    _ = try pipeline([[pipeline.resolve(request())]], observer: observer)
    #expect(loaded == ["encode the prompt: 0", "denoise: 0", "decode: 0"])
    #expect(!pipeline.codec.component!.isLoaded)
  }

  @Test func anObserverCancels() throws {
    struct Stop: Error {}
    let pipeline = try pipeline(Self.zImage)
    #expect(throws: Stop.self) {
      let observer = { (progress: ImagePipeline.Progress) in
        if case .step(1, _) = progress { throw Stop() }
      }
      _ = try pipeline([[pipeline.resolve(request())]], observer: observer)
    }
  }

  @Test func plansAreKnownBeforeWeightsAreLoaded() throws {
    let pipeline = try pipeline(Self.qwen)
    let plan = try pipeline.plan([pipeline.resolve(request { $0.guidance = 4 })])
    #expect(plan.phases.map(\.name) == ["encode the prompt", "denoise", "decode"])
    #expect(plan.phases.allSatisfy { $0.weights > 0 && $0.activations > 0 })
    #expect(!pipeline.transformer.component.isLoaded)
    // What is kept is counted in later phases.
    #expect(plan.phases[2].kept == plan.phases[0].weights + plan.phases[1].weights)
    try plan.check()
    let small = MemoryPlan(phases: plan.phases, capacity: plan.peak!.total - 1)
    #expect(throws: PipelineError.self) { try small.check() }
  }

  @Test func schedulesFollowTheWeights() throws {
    let plain = try pipeline(Self.qwen).resolve(request())
    guard case .scheduled(.euler, steps: 2) = plain.schedule else {
      Issue.record("\(plain.schedule)")
      return
    }
    #expect(plain.guidance == 4 && plain.negative == " ")
    let twin = try pipeline(Self.twin).resolve(request())
    #expect(twin.schedule == .anyStep(.preset(2)) && twin.guidance == nil)
    let turbo = try pipeline(Self.zImage).resolve(request { $0.steps = nil })
    #expect(turbo.schedule.count == 8 && turbo.guidance == nil)
    let shifted = try pipeline(Self.qwen).resolve(request { $0.shift = 3 })
    guard case .scheduled(.euler(let scheduler), _) = shifted.schedule else { return }
    #expect(scheduler.shift == .fixed(3) && scheduler.terminal == nil)
  }

  @Test(arguments: ["", " \n"]) func emptyPromptsAreRefused(_ prompt: String) throws {
    let pipeline = try pipeline(Self.qwen)
    #expect(throws: PipelineError.emptyPrompt) { try pipeline.resolve(request(prompt)) }
  }

  @Test(arguments: [(33, 48, 32, 48), (32, 7, 32, 16), (40, 40, 48, 48)])
  func sizesAreMultiples(_ height: Int, _ width: Int, _ nearHeight: Int, _ nearWidth: Int) throws {
    let pipeline = try pipeline(Self.qwen)
    let size = ImageSize(height: height, width: width)
    #expect(
      throws: PipelineError.wrongSize(
        size, multiple: 16, nearest: ImageSize(height: nearHeight, width: nearWidth))
    ) { try pipeline.resolve(request { $0.size = size }) }
  }

  @Test func whatHasNoEffectIsRefused() throws {
    let (plain, twin) = (try pipeline(Self.qwen), try pipeline(Self.twin))
    let path = twin.transformer.component.path
    #expect(throws: PipelineError.guidanceInWeights(path: path, scale: 4)) {
      try twin.resolve(request { $0.guidance = 4 })
    }
    #expect(throws: PipelineError.negativeWithoutGuidance(start: 1)) {
      try twin.resolve(request { $0.negative = "dark" })
    }
    #expect(throws: PipelineError.negativeWithoutGuidance(start: 1)) {
      try plain.resolve(request { ($0.guidance, $0.negative) = (1, "dark") })
    }
    #expect(throws: PipelineError.noTargetTimes(path: plain.transformer.component.path)) {
      try plain.resolve(request { $0.sampler = .preset(2) })
    }
    #expect(throws: PipelineError.shiftOfAnyStep) {
      try twin.resolve(request { $0.shift = 3 })
    }
    let image = RGBImage(width: 1, height: 1, values: [0, 0, 0])
    #expect(throws: PipelineError.self) { try plain.resolve(request(), editing: [image]) }
  }

  @Test func longPromptsAreCutWithAWarning() throws {
    let pipeline = try pipeline(Self.zImage)
    var said: [String] = []
    let tokens = try pipeline.tokens([String(repeating: "zebra ", count: 600)]) { said.append($0) }
    #expect(tokens.counts == [512])
    #expect(said.count == 1 && said[0].contains("takes 512"))
    _ = try pipeline.tokens(["zebra"]) { said.append($0) }
    #expect(said.count == 1)
  }

  @Test func textsArePaddedToAMultiple() throws {
    let pipeline = try pipeline(Self.qwen) { $0.textMultiple = 32 }
    let tokens = try pipeline.tokens(["a", "a longer prompt with more words"])
    #expect((tokens.length - 34) % 32 == 0)
    let features = try pipeline.features(tokens)
    #expect(features.condition["text_mask"]?.type == TensorType([2], .int32))
    #expect(
      try features.condition["text_mask"]!.array(of: Int32.self)
        == features.counts.map(Int32.init))
  }
}
