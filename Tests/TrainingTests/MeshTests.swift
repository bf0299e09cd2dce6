import Runtime
import Foundation
import PJRT
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct MeshTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A recipe whose every axis can be halved three times.
  private func recipe(_ name: String, _ mesh: String, _ more: String...) throws -> TrainingRecipe {
    let settings =
      [
        "model={kind: dit, patch: 7, width: 32, depth: 2, heads: 8, mlp_ratio: 2}",
        "batch=16", "steps=5", "mesh=\(mesh)", "objective.target_ema_decay=0.9",
      ] + more
    return try tinyRecipe(folder.path + "/" + name, settings)
  }

  private static let engines = Result {
    try Engine(
      client: Client(Plugin.load(), options: ["cpu_device_count": 8]),
      cache: ExecutableCache(directory: NSTemporaryDirectory() + "twinflow-test-executables"))
  }

  /// The losses of some steps and the weights after them.
  private func result(_ trainer: Trainer, steps: Int) throws -> (losses: [Float], all: [Float]) {
    let losses = try (0..<steps).map { _ in try trainer.advance()["loss"]! }
    return (losses, try trainer.weights().values.flatMap { try $0.array(of: Float.self) })
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let norm = { (x: [Double]) in x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return norm(zip(a, b).map { Double($0) - Double($1) }) / norm(a.map { Double($0) })
  }

  private static let meshes = SlowTests.arguments(
    ["{data: 2}", "{fsdp: 2, tensor: 2}", "{data: 2, fsdp: 2, tensor: 2}"],
    slow: [
      "{fsdp: 2}", "{tensor: 2}", "{data: 4}", "{data: 2, fsdp: 2}", "{fsdp: 8}", "{tensor: 8}",
    ])

  @Test(arguments: meshes) func everyMeshTrainsTheSame(mesh: String) throws {
    let engine = try Self.engines.get()
    let one = try result(Trainer(recipe("one", "{}"), on: engine), steps: 5)
    let trainer = try Trainer(recipe("many", mesh), on: engine)
    let many = try result(trainer, steps: 5)
    for (a, b) in zip(one.losses, many.losses) { #expect(abs(a - b) <= 1e-5 * abs(a)) }
    #expect(distance(one.all, many.all) <= 1e-5)
    #expect(trainer.function.executable.devices.count == trainer.recipe.mesh.count)
  }

  /// Groups of rows that are divided into micro-batches cross the devices' shards.
  @Test func microBatchesOnAMesh() throws {
    let engine = try Self.engines.get()
    let one = try result(Trainer(recipe("one", "{}"), on: engine), steps: 3)
    let parts = try result(
      Trainer(
        recipe("micro", "{data: 2, fsdp: 2}", "gradient_accumulation_steps=2"), on: engine),
      steps: 3)
    for (a, b) in zip(one.losses, parts.losses) { #expect(abs(a - b) <= 2e-5 * abs(a)) }
    #expect(distance(one.all, parts.all) <= 2e-5)
  }

  @Test func weightsAndMomentsAreSharded() throws {
    let trainer = try Trainer(recipe("split", "{fsdp: 2, tensor: 4}"), on: Self.engines.get())
    let all = trainer.stateTypes.values.reduce(0) { $0 + $1.byteCount }
    let memory = try #require(trainer.function.executable.memory)
    // Biases of the features inside and single numbers are not worth splitting over everything.
    #expect(memory.arguments < all / 4)
  }

  @Test func checkpointsGoFromMeshToMesh() throws {
    let engine = try Self.engines.get()
    let whole = try result(Trainer(recipe("whole", "{}"), on: engine), steps: 4)
    var losses: [Float] = []
    let meshes = ["{}", "{fsdp: 2, tensor: 2}", "{data: 2}", "{data: 2, fsdp: 2, tensor: 2}"]
    for (i, mesh) in meshes.enumerated() {
      let trainer = try Trainer(
        recipe("run", mesh), on: engine, start: i == 0 ? .fresh : .resumed)
      #expect(trainer.step == i)
      losses.append(try trainer.advance()["loss"]!)
      try trainer.save()
    }
    for (a, b) in zip(whole.losses, losses) { #expect(abs(a - b) <= 1e-5 * abs(a)) }
    let newest = folder.path + "/run/checkpoints/step-000004"
    let files = try FileManager.default.contentsOfDirectory(atPath: newest)
    #expect(files.filter { $0.contains("-part-") }.count == 4, "\(files)")
    #expect(files.contains("state.safetensors.index.json"))
    // Back to one device and one file.
    let last = try Trainer(recipe("run", "{}"), on: engine, start: .resumed)
    #expect(try distance(whole.all, last.weights().values.flatMap { try $0.array() }) <= 1e-5)
    try last.save()
    last.close()
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/run")
    #expect(left.sorted() == ["checkpoints", "weights.safetensors"])
    // A checkpoint that lacks the file of one device is damaged: the one before it is taken.
    try FileManager.default.removeItem(
      atPath: newest + "/" + files.first { $0.contains("-part-") }!)
    var notices: [String] = []
    let resumed = try Trainer(recipe("run", "{}"), on: engine, start: .resumed) {
      notices.append($0)
    }
    #expect(resumed.step == 3)
    #expect(notices.contains { $0.contains("step-000004 is damaged") && $0.contains("missing") })
  }

  @Test(arguments: [
    ("{data: 3}", ["data × fsdp of 3", "batch of 16", "Use a batch of 18"]),
    ("{tensor: 64}", ["tensor of 64", "hidden, 32", "These would: 1, 2, 4, 8, 16, 32"]),
    ("{data: 16, tensor: 3}", ["tensor of 3", "does not divide axis 0"]),
    ("{fsdp: 0}", ["fsdp", "0"]),
    ("{rows: 2}", ["rows"]),
  ])
  func indivisibleMeshesAreRejected(mesh: String, texts: [String]) {
    let error = #expect(throws: (any Error).self) { try recipe("bad", mesh) }
    for text in texts { #expect("\(error!)".contains(text), "\(error!)") }
  }

  @Test func moreDevicesThanThereAreIsAnError() throws {
    let error = #expect(throws: ShardingError.self) {
      try Trainer(recipe("bad", "{data: 16}"), on: Self.engines.get())
    }
    #expect(error?.description.contains("needs 16 devices and there are 8") == true)
  }
}
