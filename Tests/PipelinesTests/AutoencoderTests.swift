import Foundation
import Layers
import Models
import Runtime
import Synchronization
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

@Suite struct AutoencoderTests {
  static let models = ["ae_kl16", "ae_qwenimage"]

  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures").path

  /// The lines that an autoencoder has logged.
  private final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock(\.self) }
    func append(_ line: String) { lines.withLock { $0.append(line) } }
  }

  private func open(
    _ name: String, tile: Int? = 32, compute: DType = .float32, memory: Int? = nil, log: Log = Log()
  ) throws -> Autoencoder {
    try Autoencoder(
      folder: "\(Self.fixtures)/golden/\(name)/model", compute: compute,
      tile: tile.map { TileSize($0, reduction: 4) }, memory: memory, on: SharedEngine.get(),
      log: log.append)
  }

  /// What diffusers computes with tiles.
  private func published(_ name: String) throws -> Named<ShardedArray> {
    let files = try WeightFiles(path: "\(Self.fixtures)/tiles/\(name).safetensors")
    let specs = files.types.mapValues { ParameterSpec(shape: $0.shape, initializer: .zeros) }
    return try WeightLoader(SharedEngine.get().client).load(specs, from: files) { _ in .float32 }
  }

  private func numbers(_ array: ShardedArray) throws -> [Double] {
    try array.array(of: Float.self).map { Double($0) }
  }

  private func expectEqual(
    _ actual: ShardedArray, _ expected: ShardedArray, within tolerance: Double = 2e-5,
    _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(actual.type == expected.type, sourceLocation: sourceLocation)
    expectClose(
      try numbers(actual), try numbers(expected), relative: tolerance, absolute: tolerance, what,
      sourceLocation: sourceLocation)
  }

  @Test(arguments: models) func tilesAreThoseOfDiffusers(_ name: String) throws {
    let (autoencoder, arrays) = (try open(name), try published(name))
    try expectEqual(
      autoencoder.encode(arrays["image"]!, tile: .always), arrays["encoded"]!, "encoded")
    // Whole tiles, those at the right and lower edges and the one in the corner.
    #expect(autoencoder.programCount == 4)
    try expectEqual(
      autoencoder.decode(arrays["latents"]!, tile: .always), arrays["decoded"]!, "decoded")
    #expect(autoencoder.programCount == 8)
  }

  @Test(arguments: models) func imagesThatFitAreWhole(_ name: String) throws {
    let log = Log()
    let (autoencoder, arrays) = (try open(name, log: log), try published(name))
    let encoded = try autoencoder.encode(arrays["image"]!, tile: .never)
    #expect(try numbers(autoencoder.encode(arrays["image"]!)) == numbers(encoded))
    let decoded = try autoencoder.decode(arrays["latents"]!, tile: .never)
    #expect(try numbers(autoencoder.decode(arrays["latents"]!)) == numbers(decoded))
    #expect(autoencoder.programCount == 2 && log.all.isEmpty)
    // Tiles see less than whole images.
    let difference = zip(try numbers(decoded), try numbers(arrays["decoded"]!)).map { abs($0 - $1) }
    #expect(difference.max()! > 1e-3)
    // An image that is no larger than a tile is no tile.
    let small = try open(name, tile: 96)
    #expect(try numbers(small.decode(arrays["latents"]!, tile: .always)) == numbers(decoded))
  }

  /// The bytes that a program needs besides the weights.
  private func need(_ name: String, _ run: (Autoencoder) throws -> ShardedArray) throws -> Int {
    let autoencoder = try open(name, memory: 0)
    let error = #expect(throws: RuntimeError.self) { _ = try run(autoencoder) }
    guard case .outOfMemory(let needed?, _, _) = error else {
      Issue.record("\(error.map { "\($0)" } ?? "nothing") was thrown")
      return 0
    }
    return needed.temporaries + needed.results
  }

  @Test(arguments: models) func batchesThatDoNotFitAreDivided(_ name: String) throws {
    let arrays = try published(name)
    let need = try need(name) { try $0.decode(arrays["latents"]!, tile: .never) }
    let log = Log()
    let limited = try open(name, memory: need - 1, log: log)
    let whole = try open(name).decode(arrays["latents"]!, tile: .never)
    try expectEqual(limited.decode(arrays["latents"]!), whole)
    #expect(log.all.count == 1)
    #expect(log.all[0].hasPrefix("Decoding 2 × 60x88 does not fit into memory: it needs "))
    #expect(log.all[0].hasSuffix("One image is processed after the other."))
    #expect(throws: RuntimeError.self) {
      try limited.decode(arrays["latents"]!, tile: .never)
    }
  }

  @Test(arguments: models) func imagesThatDoNotFitAreDividedIntoTiles(_ name: String) throws {
    let arrays = try published(name)
    func first(_ array: ShardedArray) throws -> ShardedArray {
      let shape = array.type.shape
      let values = try array.array(of: Float.self).prefix(shape.count / 2)
      return try SharedEngine.get().array(
        Array(values), shape: [1] + Array(shape.sizes.dropFirst()))
    }
    let (image, latents) = (try first(arrays["image"]!), try first(arrays["latents"]!))
    for (isEncoding, wanted) in [(true, "encoded"), (false, "decoded")] {
      func run(_ autoencoder: Autoencoder, _ use: TileUse) throws -> ShardedArray {
        try isEncoding
          ? autoencoder.encode(image, tile: use) : autoencoder.decode(latents, tile: use)
      }
      let need = try need(name) { try run($0, .never) }
      let log = Log()
      let limited = try open(name, memory: need - 1, log: log)
      try expectEqual(run(limited, .whenNeeded), first(arrays[wanted]!))
      #expect(log.all.count == 1)
      #expect(log.all[0].hasPrefix(isEncoding ? "Encoding 1 × 60x88 " : "Decoding 1 × 60x88 "))
      #expect(log.all[0].hasSuffix("It is divided into tiles of 32 × 32 pixels."))
      // The next run knows no more of it.
      try expectEqual(run(limited, .whenNeeded), first(arrays[wanted]!))
      #expect(log.all.count == 2)
    }
  }

  /// The published tiles may be larger than the image, and then halves of them are tried.
  @Test func tilesBecomeSmallerUntilTheyFit() throws {
    let arrays = try published("ae_qwenimage")
    let log = Log()
    let none = try open("ae_qwenimage", tile: nil, memory: 0, log: log)
    #expect(none.tile.size == 256)
    #expect(throws: RuntimeError.self) { try none.decode(arrays["latents"]!) }
    #expect(log.all.count == 2 && log.all[1].hasSuffix("into tiles of 64 × 64 pixels."))

    let need = try need("ae_qwenimage") { try $0.decode(arrays["latents"]!, tile: .never) }
    let limited = try open("ae_qwenimage", tile: nil, memory: need / 2 - 1, log: log)
    let tiled = try open("ae_qwenimage", tile: 64).decode(arrays["latents"]!, tile: .always)
    try expectEqual(limited.decode(arrays["latents"]!), tiled)
  }

  @Test func halfPrecisionIsClose() throws {
    for name in Self.models {
      let latents = try published(name)["latents"]!
      let exact = try numbers(open(name).decode(latents))
      let half = try numbers(open(name, compute: .bfloat16).decode(latents))
      let error = zip(exact, half).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let norm = exact.reduce(0) { $0 + $1 * $1 }
      #expect((error / norm).squareRoot() < 0.05 && half != exact, "\(name)")
    }
  }

  @Test("A checkpoint with the original names, among those of other networks")
  func originalNames() throws {
    let published = try open("ae_kl16")
    let config = try #require(published.config as? AutoencoderKLConfig)
    var names = config.originalNames
    names.prefix = "vae."
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/autoencoder.safetensors"
    let engine = try SharedEngine.get()
    let arrays = try published.component.load()
    try WeightFiles.write(parameters: arrays, names: names, to: path)
    let files = try WeightFiles(path: path)
    let stored = files.types
    #expect(stored["vae.decoder.mid.attn_1.q.weight"]?.shape == [16, 16, 1, 1])
    #expect(stored["vae.decoder.up.2.upsample.conv.weight"]?.shape == [16, 16, 3, 3])
    let latents = try self.published("ae_kl16")["latents"]!
    let complete = folder.path + "/complete.safetensors"
    let other = Named([("model.diffusion_model.bias", TensorType([2], .float32))])
    try WeightFiles.write(stored.merging(other), to: complete) { name in
      files.mapped(name).map { [UInt8]($0.bytes) } ?? [UInt8](repeating: 0, count: 8)
    }
    let original = try Autoencoder(complete, config: config, on: engine)
    #expect(try numbers(original.decode(latents)) == numbers(published.decode(latents)))
  }

  @Test(arguments: models) func weightsAreReadAgainAfterTheirRelease(_ name: String) throws {
    let (autoencoder, latents) = (try open(name), try published(name)["latents"]!)
    let first = try numbers(autoencoder.decode(latents))
    // The weights as they are stored are not kept beside those of the programs.
    #expect(!autoencoder.component.isLoaded)
    autoencoder.release()
    #expect(try numbers(autoencoder.decode(latents)) == first && autoencoder.programCount == 1)
  }

  @Test func otherWeightsAreRejected() throws {
    let engine = try SharedEngine.get()
    let folder = "\(Self.fixtures)/golden/ae_kl16/model"
    #expect(throws: WeightsError.self) {
      try Autoencoder(folder, config: AutoencoderKLQwenImageConfig(), on: engine)
    }
  }
}
