import Files
import Flow
import Foundation
import Layers
import Models
import Recipe
import Tensors
import Weights

/// The weights of a network with what is needed to use them: one safetensors file, whose metadata
/// say in JSON, under `twinflow`, what network it is and how it was trained.
public struct ModelFile: Sendable {
  /// Where it lies.
  public let path: String
  /// What the file says of itself.
  public let card: Card
  /// The weights on the devices, of the types that the network declares.
  public let weights: Named<ShardedArray>

  /// The network.
  public var model: ModelConfig { card.model }

  /// What a file of weights says of itself.
  public struct Card: Codable, Hashable, Sendable {
    /// The network.
    public var model: ModelConfig
    /// Whether the network knows target times other than the current one: generation in a few
    /// steps asks for them, a plain flow takes many small steps.
    public var anyStep: Bool
    /// The scale of guidance that generation needs; 0 where it is in the weights, or not wanted.
    public var guidance: Double
    /// How the network is told of target times.
    public var timeConvention = TimeConvention.pair

    /// Makes a card.
    public init(model: ModelConfig, anyStep: Bool = false, guidance: Double = 0) {
      self.model = model
      self.anyStep = anyStep
      self.guidance = guidance
    }

    /// Reads a card; files that say nothing of times have the usual convention.
    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      model = try keys.decode(ModelConfig.self, forKey: .model)
      anyStep = try keys.decode(Bool.self, forKey: .anyStep)
      guidance = try keys.decode(Double.self, forKey: .guidance)
      timeConvention =
        try keys.decodeIfPresent(TimeConvention.self, forKey: .timeConvention) ?? .pair
    }
  }

  private static let key = "twinflow"

  /// Reads a file and checks every weight against the network's own list.
  ///
  /// - Throws: `WeightsError` for a damaged file or weights that do not fit, `TrainingError.noModel`
  ///   for a file of another program.
  public init(_ path: String, on engine: Engine) throws {
    let file = try WeightFiles(path: path)
    guard let json = file.metadata[Self.key],
      let card = try? JSONDecoder().decode(Card.self, from: Data(json.utf8))
    else { throw TrainingError.noModel(path: path) }
    self.path = path
    self.card = card
    let declared = card.model.weights
    weights = try file.arrays(
      declared.mapValues(\.type), shardings: declared.mapValues(\.sharding), on: engine)
  }

  /// Writes a network's weights, atomically: in one file, or by several processes in parts.
  ///
  /// - Parameters:
  ///   - dtype: how floats are stored.
  ///   - stamp: tells parts from those of an earlier time.
  /// - Throws: `FileError.unwritable`; a file that was there stays.
  public static func write(
    _ weights: Named<ShardedArray>, card: Card, to path: String, as dtype: DType = .float32,
    stamp: String = "whole", on engine: Engine
  ) throws {
    let json = try JSONFile.text(card)
    let stored = try engine.cast(weights) { $0.isFloat ? dtype : $0 }
    if let mesh = engine.mesh, engine.group != nil {
      try WeightFiles.write(
        parts: stored, metadata: [key: json], to: path, stamp: stamp, mesh: mesh,
        by: engine.writers)
      return
    }
    try WeightFiles.write(stored.types, metadata: [key: json], to: path) {
      try stored[$0]!.bytes()
    }
  }
}

extension WeightFiles {
  /// The arrays on the devices, as the expected types say; floats of another width are converted.
  ///
  /// - Parameter shardings: how they are split over the engine's mesh.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen.
  func arrays(
    _ expected: Named<TensorType>, shardings: Named<Sharding> = Named(), on engine: Engine
  ) throws -> Named<ShardedArray> {
    var problems: [WeightsError.Problem] = []
    for (name, type) in expected.pairs {
      guard let found = types[name] else {
        let similar = nearestName(to: name, among: types.names.filter { expected[$0] == nil })
        problems.append(.missing(name: name, similar: similar))
        continue
      }
      let convertible = found.dtype.isFloat && type.dtype.isFloat
      if found.shape != type.shape || found.dtype != type.dtype && !convertible {
        problems.append(.wrongType(name: name, found: found, expected: type))
      }
    }
    problems += types.names.filter { expected[$0] == nil }.map { .unused(name: $0) }
    guard problems.isEmpty else { throw WeightsError.mismatch(path: path, problems: problems) }
    let places = engine.client.places(in: engine.mesh)
    let stored = try expected.map { name, _ in
      let type = types[name]!
      return try ShardedArray(
        type, shardings[name] ?? .whole, engine.mesh, places: places
      ) { region, place in
        let device = engine.client.devices[place]
        let local = BufferType(type.dtype, region.sizes)
        if region.sizes == type.shape.sizes, let mapped = mapped(name) {
          return try engine.client.buffer(
            sharing: mapped.bytes, owner: mapped.owner, local, on: device)
        }
        return try bytes(name, region).withUnsafeBytes {
          try engine.client.buffer(bytes: $0, local, on: device)
        }
      }
    }
    var wanted = expected.pairs.makeIterator()
    return try engine.cast(stored) { _ in wanted.next()!.value.dtype }
  }
}

extension Engine {
  /// The arrays with other element types; nothing is copied where none changes.
  func cast(
    _ arrays: Named<ShardedArray>, to dtype: (DType) -> DType
  ) throws -> Named<ShardedArray> {
    let wanted = arrays.mapValues { dtype($0.type.dtype) }
    guard arrays.names.contains(where: { arrays[$0]!.type.dtype != wanted[$0]! }) else {
      return arrays
    }
    return try compile(arrays.types, shardings: arrays.shardings) {
      $0.map { $1.cast(to: wanted[$0]!) }
    }(arrays)
  }
}
