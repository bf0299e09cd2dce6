import Foundation
import Models
import Pictures
import Runtime
import Synchronization
import TestModels
import TestSupport
import Testing
import Weights

@testable import Pipelines
@testable import Serving

/// Models share the memory, and what does not fit is made in parts.
@Suite struct MemoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Models with different weights.
  private func models(
    _ names: [String], loras: [String: String] = [:], memory: Int? = nil
  ) throws -> ServedModels {
    try ServedModels(
      names.enumerated().map { number, name in
        let path = "\(folder.path)/\(name)"
        try SmallTextDiT.write(
          path, encoder: "\(folder.path)/bert", seed: UInt64(1000 * number))
        var options = ImagePipeline.Options()
        options.keepsComponents = true
        return (name, try ImagePipeline(ModelFolder(path), options, on: SharedEngine.get()))
      }, loras: loras, memory: memory)
  }

  private func lora(_ name: String, width: Int = 16, seed: UInt64 = 0) throws -> String {
    let path = "\(folder.path)/\(name).safetensors"
    try SmallTextDiT.writeLoRA(path, width: width, seed: seed)
    return path
  }

  /// Jobs of one batch, and what they were told.
  private func jobs(
    _ count: Int, _ models: ServedModels, _ key: ServedModelKey,
    told: @escaping @Sendable (UInt64, PictureJob.Event) -> Void = { _, _ in }
  ) throws -> [PictureJob] {
    try (0..<count).map { number in
      let request = ImageRequest(prompt: "a fox", seed: UInt64(number))
      let id = UInt64(number)
      return PictureJob(
        id: id, client: "", request: try models[key.name].resolve(request), model: key
      ) { told(id, $0) }
    }
  }

  private func picture(_ models: ServedModels, _ key: ServedModelKey) throws -> [UInt8] {
    var maker = PictureMaker(models)
    return try maker.make(jobs(1, models, key))[0].0.values
  }

  private static let (a, b, c) = (
    ServedModelKey(name: "a"), ServedModelKey(name: "b"), ServedModelKey(name: "c")
  )

  @Test func theModelThatWasNotUsedForTheLongestTimeIsReleased() throws {
    let free = try models(["a", "b", "c"])
    let size = free["a"].weightBytes
    let limited = try models(["a", "b", "c"], memory: 2 * size + size / 2)
    #expect(limited.loaded.isEmpty && limited.loadedBytes == 0)
    var used: [String] = []
    for (key, left) in [
      (Self.a, ["a"]), (Self.b, ["a", "b"]), (Self.a, ["b", "a"]), (Self.c, ["a", "c"]),
      (Self.b, ["c", "b"]), (Self.a, ["b", "a"]),
    ] {
      used.append(key.name)
      #expect(try picture(limited, key) == picture(free, key), "\(used)")
      #expect(limited.loaded == left, "\(used)")
      #expect(limited.loadedBytes <= 2 * size + size / 2)
      for name in ["a", "b", "c"] {
        #expect(
          limited[name].transformer.component.isLoaded == left.contains(name), "\(name) \(used)")
      }
    }
    // One that is larger than the memory is alone.
    let narrow = try models(["a", "b"], memory: 1)
    #expect(try picture(narrow, Self.a) == picture(free, Self.a))
    #expect(try picture(narrow, Self.b) == picture(free, Self.b))
    #expect(narrow.loaded == ["b"])
  }

  /// Requests with LoRA leave no trace in those after them.
  @Test func loRAIsOfOneRequest() throws {
    let models = try models(
      ["a", "b"], loras: ["x": lora("x", seed: 10), "y": lora("y", seed: 20)])
    let (x, half, y, both) = (
      ServedModelKey(name: "a", loras: [.init(name: "x", scale: 1)]),
      ServedModelKey(name: "a", loras: [.init(name: "x", scale: 0.5)]),
      ServedModelKey(name: "a", loras: [.init(name: "y", scale: 1)]),
      ServedModelKey(
        name: "a", loras: [.init(name: "x", scale: 1), .init(name: "y", scale: 1)])
    )
    let plain = try picture(models, Self.a)
    var seen: [ServedModelKey: [UInt8]] = [Self.a: plain]
    for key in [x, Self.a, y, both, half, Self.a, x, both, y, Self.a, Self.b, Self.a, half] {
      let made = try picture(models, key)
      if let before = seen[key] { #expect(made == before, "\(key)") }
      seen[key] = made
    }
    // Five ways to use the model, and another model.
    #expect(seen.count == 6 && Set(seen.values).count == 6)
    // The weights of the model are shared.
    #expect(models.loaded == ["b", "a"])
  }

  @Test func loRAThatFitsNoModelIsAnErrorAtTheStart() throws {
    #expect(throws: WeightsError.self) {
      try models(["a"], loras: ["wide": lora("wide", width: 32)])
    }
    #expect(throws: (any Error).self) { try models(["a"], loras: ["none": folder.path + "/none"]) }
  }

  /// A device that holds two pictures at a time.
  @Test func aBatchThatDoesNotFitIsMadeInHalves() throws {
    let server = try TestServer(works: false)
    let told = Mutex<[UInt64: Int]>([:])
    let key = ServedModelKey(name: "small")
    let jobs = try jobs(7, server.server.service.models, key) { id, event in
      if case .finished = event { told.withLock { $0[id, default: 0] += 1 } }
    }
    let sizes = Mutex<[Int]>([])
    let picture = RGBImage(width: 1, height: 1, values: [0, 0, 0])
    server.server.worker.finish(jobs) { batch in
      sizes.withLock { $0.append(batch.count) }
      guard batch.count <= 2 else {
        throw RuntimeError.outOfMemory(needed: nil, device: nil, message: nil)
      }
      return batch.map { _ in (picture, PictureTiming()) }
    }
    #expect(sizes.withLock { $0 } == [7, 3, 1, 2, 4, 2, 2])
    #expect(told.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<7).map { ($0, 1) }))
  }

  /// Other models are released before a picture is given up, and the server goes on.
  @Test func aPictureThatDoesNotFitEndsAlone() async throws {
    let server = try TestServer(["small", "other"], works: false)
    let models = server.server.service.models
    _ = try picture(models, ServedModelKey(name: "other"))
    let key = ServedModelKey(name: "small")
    _ = try models.use(key)
    #expect(models.loaded == ["other", "small"])
    let failures = Mutex<[String?]>([])
    let tries = Mutex(0)
    let jobs = try jobs(1, models, key) { _, event in
      if case .failed(let error) = event {
        failures.withLock { $0.append(APIError(error).code) }
      }
    }
    server.server.worker.finish(jobs) { _ in
      tries.withLock { $0 += 1 }
      throw RuntimeError.outOfMemory(needed: nil, device: nil, message: nil)
    }
    #expect(tries.withLock { $0 } == 2 && models.loaded == ["small"])
    #expect(failures.withLock { $0 } == ["out_of_memory"])
    server.server.worker.start()
    let answer = try await server.post("/v1/images/generations", #"{"prompt": "a fox"}"#)
    #expect(answer.status == 200)
    let metrics = try await server.call(.get, "/metrics")
    #expect(metrics.text.contains(#"outcome="failed"} 1"#))
  }
}
