import Foundation
import Layers
import Models
import Runtime
import Synchronization
import Tensors
import Weights

/// An autoencoder with its weights: images to latents and back, whole or in tiles.
///
/// Images are `[batch, height, width, channels]` within ±1, latents are scaled as diffusion models expect
/// them, and both are f32. A program is compiled for each size.
public final class Autoencoder: Sendable {
  /// The configuration.
  public let config: any ImageAutoencoderConfig
  /// The weights, in the element types that they are stored in.
  public let component: Component
  /// The tiles that images are divided into.
  public let tile: TileSize

  let log: @Sendable (String) -> Void
  private let engine: Engine
  private let compute: DType
  private let memory: Int?
  private let programs = Mutex<[Work: CompiledFunction]>([:])
  /// The weights as the programs of encoder and decoder take them, see `PreparedFunction`.
  private let prepared = Mutex<[Bool: Named<ShardedArray>]>([:])

  /// What a program computes.
  enum Part: Hashable {
    /// Latents of images.
    case encode
    /// Images of latents.
    case decode
    /// Images of latents before they are clamped.
    case reconstruct

    var isEncoding: Bool { self == .encode }
  }

  /// A program: what it computes, of which shape.
  private struct Work: Hashable {
    let part: Part
    let shape: Shape
  }

  /// Opens a folder with `config.json` and weights, such as the folder `vae` of a published model.
  ///
  /// - Parameters: see the other initializer.
  /// - Throws: `PublishedConfigError` for an autoencoder that is not supported, and the errors of files.
  public convenience init(
    folder path: String, compute: DType = .float32, tile: TileSize? = nil, memory: Int? = nil,
    on engine: Engine, log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    try self.init(
      path, config: ImageAutoencoders.config(from: path + "/config.json"), compute: compute,
      tile: tile, memory: memory, on: engine, log: log)
  }

  /// Opens a file of weights, or a folder with one. The weights are loaded on first use.
  ///
  /// - Parameters:
  ///   - compute: the element type that the network computes in.
  ///   - tile: the tiles of images that do not fit; nil for the published ones.
  ///   - memory: the bytes of a device that a program may use besides the weights; nil for what is
  ///     available.
  ///   - log: called with a line of text where a run does not fit and is divided.
  /// - Throws: `WeightsError` for weights that do not match, and the errors of files.
  public init(
    _ path: String, config: any ImageAutoencoderConfig, compute: DType = .float32,
    tile: TileSize? = nil, memory: Int? = nil, on engine: Engine,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    let files = try WeightFiles(path: path)
    let names = config.names(for: files.types.names)
    component = try Component(
      Scope.declare { config.network($0) }, in: files, names: names,
      // With a prefix the file holds other networks too.
      ignoring: { !$0.hasPrefix(names.prefix) || config.ignores($0) }, on: engine)
    self.config = config
    self.compute = compute
    self.tile = tile ?? config.tile
    self.memory = memory
    self.engine = engine
    self.log = log
  }

  /// The latents of images: the means of their distributions.
  ///
  /// - Parameters:
  ///   - images: heights and widths are multiples of `config.reduction`.
  ///   - use: whether images are encoded in tiles.
  /// - Returns: `[batch, height / reduction, width / reduction, latent channels]`.
  /// - Throws: `RuntimeError.outOfMemory`, and the errors of files and of the plugin.
  public func encode(_ images: ShardedArray, tile use: TileUse = .whenNeeded) throws -> ShardedArray
  {
    let (shape, reduction) = (images.type.shape, config.reduction)
    precondition(
      shape.rank == 4 && shape[3] == config.channels && shape[1] % reduction == 0
        && shape[2] % reduction == 0 && shape.count > 0,
      "the autoencoder takes images of \(config.channels) channels whose height and width are "
        + "multiples of \(reduction), not \(images.type)")
    return try run(.encode, images, use)
  }

  /// The images of latents.
  ///
  /// - Parameter use: whether images are decoded in tiles.
  /// - Returns: `[batch, height · reduction, width · reduction, channels]`, from about −1 to 1.
  /// - Throws: `RuntimeError.outOfMemory`, and the errors of files and of the plugin.
  public func decode(_ latents: ShardedArray, tile use: TileUse = .whenNeeded) throws
    -> ShardedArray
  {
    let shape = latents.type.shape
    precondition(
      shape.rank == 4 && shape[3] == config.latentChannels && shape.count > 0,
      "the autoencoder takes latents of \(config.latentChannels) channels, not \(latents.type)")
    return try run(.decode, latents, use)
  }

  /// Releases the weights, which are read again when they are used.
  public func release() {
    component.release()
    prepared.withLock { $0 = [:] }
  }

  /// Runs a program on a whole batch.
  func whole(_ part: Part, _ x: ShardedArray) throws -> ShardedArray {
    let work = Work(part: part, shape: x.type.shape)
    let weights = try weights(work)
    let program = try program(work)
    try checkFits(program)
    var arguments = weights.prefixed("weights")
    arguments["x"] = x
    return try RuntimeError.reportingMemory(of: program) { try program(arguments)["y"]! }
  }

  /// Copies an array to the devices.
  func array(_ values: [Float], _ shape: Shape) throws -> ShardedArray {
    try engine.array(values, shape: shape.sizes)
  }

  /// The number of programs that have been compiled.
  var programCount: Int { programs.withLock(\.count) }

  /// What a program computes, from weights and `x` to `y`.
  private func function(_ work: Work) -> PreparedFunction {
    PreparedFunction(
      weights: component.types, inputs: Named([("x", TensorType(work.shape, .float32))])
    ) { [config, compute] weights, inputs in
      let codec = Scope.bind(weights) { AutoencoderCodec($0, config) }
      let x = inputs["x"]!.cast(to: compute)
      let y =
        switch work.part {
        case .encode: codec.encode(x)
        case .decode: codec.decode(x)
        case .reconstruct: codec.reconstruct(x)
        }
      return Named([("y", y.cast(to: .float32))])
    }
  }

  /// The weights of encoder or decoder as its programs take them. The weights as they are stored are
  /// released: a file is mapped, and what is prepared takes their place.
  private func weights(_ work: Work) throws -> Named<ShardedArray> {
    try prepared.withLock { prepared in
      if let known = prepared[work.part.isEncoding] { return known }
      let stored = try component.load()
      let weights = try engine.compile(
        stored.types, shardings: stored.shardings, function(work).prepare)(stored)
      component.release()
      prepared[work.part.isEncoding] = weights
      return weights
    }
  }

  private func program(_ work: Work) throws -> CompiledFunction {
    try programs.withLock { programs in
      if let program = programs[work] { return program }
      let function = function(work)
      var arguments = function.preparedTypes.prefixed("weights")
      arguments["x"] = TensorType(work.shape, .float32)
      let program = try engine.compile(arguments) { function($0.group("weights"), $0) }
      programs[work] = program
      return program
    }
  }

  /// The compiler's plan of the memory to decode latents of a shape, whole where that fits into the
  /// devices, otherwise in tiles; nil where the plugin has no plans.
  ///
  /// - Throws: the plugin's errors.
  func memoryToDecode(_ shape: Shape) throws -> ProgramMemory? {
    do {
      return try program(Work(part: .decode, shape: shape)).executable.memory
    } catch RuntimeError.outOfMemory {
      let side = tile.size / config.reduction
      let one: Shape = [1, min(side, shape[1]), min(side, shape[2]), shape[3]]
      return try program(Work(part: .reconstruct, shape: one)).executable.memory
    }
  }

  /// Checks that a program fits beside the weights, which are on the devices.
  ///
  /// - Throws: `RuntimeError.outOfMemory`.
  private func checkFits(_ program: CompiledFunction) throws {
    guard let needed = program.executable.memory,
      let limit = memory ?? engine.client.availableMemory,
      needed.temporaries + needed.results > limit
    else { return }
    throw RuntimeError.outOfMemory(needed: needed, device: limit, message: nil)
  }
}
