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
@testable import Serving

/// A picture does not depend on the batch that it is made in.
@Suite struct BatchTests {
  private let folder: TemporaryFolder
  private let models: ServedModels

  init() throws {
    folder = try TemporaryFolder()
    let path = "\(folder.path)/model"
    try SmallTextDiT.write(path, encoder: "\(folder.path)/bert")
    models = try ServedModels([("m", try ImagePipeline(ModelFolder(path), on: SharedEngine.get()))])
  }

  private func jobs(_ prompts: [String], steps: Int = 1) throws -> [PictureJob] {
    try prompts.enumerated().map { number, prompt in
      var request = ImageRequest(prompt: prompt, seed: UInt64(number))
      request.steps = steps
      return PictureJob(
        id: UInt64(number), client: "", request: try models["m"].resolve(request),
        model: ServedModelKey(name: "m")
      ) { _ in }
    }
  }

  private static let prompts = [
    "a fox", "the red cat on a hill", "a dog", "a green house in the snow", "the fox",
  ]

  @Test(arguments: [1, 3]) func picturesAreThoseMadeAlone(steps: Int) throws {
    var maker = PictureMaker(models)
    let jobs = try jobs(Self.prompts, steps: steps)
    let alone = try jobs.map { try maker.make([$0])[0].0 }
    #expect(Set(alone.map(\.values)).count == jobs.count)
    for range in [0..<2, 1..<5, 0..<5] {
      let together = try maker.make(Array(jobs[range]))
      #expect(together.count == range.count)
      for (place, (picture, timing)) in zip(range, together) {
        #expect(timing.batch == range.count)
        let difference = zip(picture.values, alone[place].values).map { abs(Int($0) - Int($1)) }
        #expect(difference.max()! <= 1, "picture \(place) of \(range)")
      }
    }
  }

  /// The noise is the same, byte for byte.
  @Test func noiseDependsOnItsSeedAlone() throws {
    let size = ImageSize(height: 16, width: 16)
    func noise(_ seeds: [UInt64], steps: Int) throws -> [[Float]] {
      let engine = try SharedEngine.get()
      let keys = try engine.array(seeds.flatMap { [$0, 0] }, shape: [seeds.count, 2])
      let start = try models["m"].denoiser(batch: seeds.count, size)
        .noise(Named([("key", keys)]), steps: steps)
      let all = try start["noise"]!.array(of: Float.self)
      let count = all.count / seeds.count
      return seeds.indices.map { Array(all[$0 * count..<($0 + 1) * count]) }
    }
    let alone = try noise([7], steps: 1)[0]
    let mean = alone.reduce(0, +) / Float(alone.count)
    #expect(alone.count == 768 && abs(mean) < 0.15)
    for seeds: [UInt64] in [[7, 8], [1, 7, 2, 9], [0, 1, 2, 3, 4, 5, 6, 7]] {
      let place = seeds.firstIndex(of: 7)!
      #expect(try noise(seeds, steps: 1)[place].map(\.bitPattern) == alone.map(\.bitPattern))
      #expect(try noise(seeds, steps: 4)[place].map(\.bitPattern) == alone.map(\.bitPattern))
    }
  }

  @Test func aBatchThatNobodyWaitsForEndsBetweenSteps() throws {
    var maker = PictureMaker(models)
    let jobs = try jobs(["a fox", "a dog"], steps: 4)
    for job in jobs { job.cancel() }
    #expect(throws: PictureMaker.Cancelled.self) { try maker.make(jobs) }
    #expect(try maker.make(self.jobs(["a fox"])).count == 1)
  }
}
