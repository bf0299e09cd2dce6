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
  /// All files that it consists of.
  public let paths: [String]
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
      guidance = try keys.value(.guidance, in: 0...1000)
      timeConvention =
        try keys.decodeIfPresent(TimeConvention.self, forKey: .timeConvention) ?? .pair
    }
  }

  private static let key = "twinflow"

  /// Reads a file and checks every weight against the network's own list.
  ///
  /// - Parameter allowsOverflow: whether numbers beyond f32's range become infinite.
  /// - Throws: `WeightsError` for a damaged file or weights that do not fit, `TrainingError.noModel`
  ///   for a file of another program, `unreadableCard` for one whose description is wrong.
  public init(_ path: String, on engine: Engine, allowsOverflow: Bool = false) throws {
    let file = try WeightFiles(path: path)
    guard let json = file.metadata[Self.key] else { throw TrainingError.noModel(path: path) }
    do {
      // JSON is YAML; the reader of recipes says best what is wrong.
      card = try RecipeDecoder.decode(yaml: json, file: Self.key)
    } catch {
      throw TrainingError.unreadableCard(path: path, reason: "\(error)")
    }
    self.path = path
    paths = file.paths
    let declared = card.model.weights
    weights = try file.arrays(
      declared.mapValues(\.type), shardings: declared.mapValues(\.sharding),
      allowsOverflow: allowsOverflow, on: engine)
  }

  /// Writes a network's weights, atomically: in one file, or by several processes in parts.
  ///
  /// - Parameters:
  ///   - dtype: how floats are stored.
  ///   - stamp: tells parts from those of an earlier time.
  ///   - inputs: files that must not be replaced.
  ///   - allowsOverflow: whether numbers beyond the type's range become infinite.
  /// - Throws: `FileError.unwritable` and `replacesInput`, `TrainingError.beyondRange`; a file that was
  ///   there stays.
  public static func write(
    _ weights: Named<ShardedArray>, card: Card, to path: String, as dtype: DType = .float32,
    stamp: String = "whole", protecting inputs: [String] = [], allowsOverflow: Bool = false,
    on engine: Engine
  ) throws {
    let json = try JSONFile.text(card)
    let stored = try engine.cast(weights, of: path, allowsOverflow: allowsOverflow) {
      $0.isFloat ? dtype : $0
    }
    if let mesh = engine.mesh, engine.group != nil {
      try WeightFiles.write(
        parts: stored, metadata: [key: json], to: path, stamp: stamp, mesh: mesh,
        by: engine.writers, protecting: inputs)
      return
    }
    try WeightFiles.write(
      stored.types, metadata: [key: json], to: path, protecting: inputs
    ) {
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
    _ expected: Named<TensorType>, shardings: Named<Sharding> = Named(),
    allowsOverflow: Bool = false, on engine: Engine
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
    return try engine.cast(stored, of: path, allowsOverflow: allowsOverflow) { _ in
      wanted.next()!.value.dtype
    }
  }
}

extension Engine {
  /// The arrays with other element types; nothing is copied where none changes.
  ///
  /// - Parameters:
  ///   - path: the file that they are of, for messages.
  ///   - allowsOverflow: whether finite numbers may become infinite.
  /// - Throws: `TrainingError.beyondRange` with the number of those that would, and the plugin's
  ///   errors.
  func cast(
    _ arrays: Named<ShardedArray>, of path: String, allowsOverflow: Bool = false,
    to dtype: (DType) -> DType
  ) throws -> Named<ShardedArray> {
    let wanted = arrays.mapValues { dtype($0.type.dtype) }
    guard arrays.names.contains(where: { arrays[$0]!.type.dtype != wanted[$0]! }) else {
      return arrays
    }
    let narrowed = arrays.filter { arrays[$0]!.type.dtype.infinite > wanted[$0]!.infinite }
    if !allowsOverflow, !narrowed.isEmpty {
      let counts = try compile(narrowed.types, shardings: narrowed.shardings) {
        $0.map { name, array in
          let size = array.abs()
          let large = size.greaterOrEqual(.constant(wanted[name]!.infinite, size.dtype))
          return (large.cast(to: .int64) * size.less(.infinity).cast(to: .int64)).sum()
        }
      }(narrowed).mapValues { Int(try $0.array(of: Int64.self)[0]) }
      let lost = counts.names.filter { counts[$0]! > 0 }
      guard lost.isEmpty else {
        throw TrainingError.beyondRange(
          path: path, dtype: wanted[lost[0]]!, names: lost, count: counts.values.reduce(0, +))
      }
    }
    return try compile(arrays.types, shardings: arrays.shardings) {
      $0.map { $1.cast(to: wanted[$0]!) }
    }(arrays)
  }
}

extension DType {
  /// The least number that is rounded to infinity in a floating-point type: half a step above its
  /// largest one. Infinite for all other types.
  fileprivate var infinite: Double {
    switch self {
    case .float16: 65520
    case .bfloat16: 0x1.FFp127
    case .float32: 0x1.FFFFFFp127
    case .float64, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64:
      .infinity
    }
  }
}
