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

  static let key = "twinflow"

  /// Reads a file and checks every weight against the network's own list. LoRA are added to the
  /// weights that they name as their base.
  ///
  /// - Parameter allowsOverflow: whether numbers beyond f32's range become infinite.
  /// - Throws: `WeightsError` for a damaged file or weights that do not fit, `TrainingError.noModel`
  ///   for a file of another program, `unreadableCard` for one whose description is wrong, `otherBase`
  ///   for adapters whose base has changed.
  public init(_ path: String, on engine: Engine, allowsOverflow: Bool = false) throws {
    let header = try ModelHeader(path)
    self.path = path
    guard let adapter = header.card.adapter else {
      card = header.card
      paths = header.file.paths
      weights = try header.weights(on: engine, allowsOverflow: allowsOverflow) { _ in .float32 }
      return
    }
    let base = try header.base(adapter)
    paths = header.file.paths + base.file.paths
    var card = header.card
    card.adapter = nil
    self.card = card
    let adapters = adapter.adapters
    let own = try header.weights(on: engine) { _ in .float32 }
    var all = try base.weights(on: engine) { _ in .float32 }
    all.merge(own)
    let merged = try engine.compile(all.types, shardings: all.shardings) {
      adapters.merged($0)
    }(all)
    weights = card.model.weights.map { name, _ in merged[name]! }
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
    let names = card.adapter == nil ? card.model.names : card.model.adapterNames
    var metadata = [key: json]
    if let adapters = card.adapter?.adapters {
      metadata["lora_adapter_metadata"] = try JSONFile.text(adapters.published(card.model))
    }
    if let mesh = engine.mesh, engine.group != nil {
      try WeightFiles.write(
        parts: stored, metadata: metadata, to: path, stamp: stamp, mesh: mesh,
        by: engine.writers, protecting: inputs)
      return
    }
    try WeightFiles.write(
      parameters: stored, names: names, metadata: metadata, to: path,
      protecting: inputs)
  }
}

/// A file of weights whose description has been read, and no weight yet.
struct ModelHeader {
  let path: String
  let file: WeightFiles
  let card: ModelFile.Card

  /// Opens a file.
  ///
  /// - Throws: as `ModelFile.init`.
  init(_ path: String) throws {
    self.path = path
    file = try WeightFiles(path: path)
    guard let json = file.metadata[ModelFile.key] else { throw TrainingError.noModel(path: path) }
    do {
      // JSON is YAML; the reader of recipes says best what is wrong.
      card = try RecipeDecoder.decode(yaml: json, file: ModelFile.key)
    } catch {
      throw TrainingError.unreadableCard(path: path, reason: "\(error)")
    }
  }

  /// What the file holds: the network's parameters, or what adapters have of their own.
  var specs: Named<ParameterSpec> {
    guard let adapters = card.adapter?.adapters else { return card.model.weights }
    return card.model.weights(with: adapters).filter(adapters.trains)
  }

  private var names: NameMap {
    if card.adapter != nil { return card.model.adapterNames }
    return card.model.isOldLayout(file.types.names) ? card.model.oldNames : card.model.names
  }

  /// The element types that the parameters are stored in.
  func storedTypes() throws -> Named<DType> {
    try WeightLoader.storedTypes(specs, in: file, names: names)
  }

  /// Loads the parameters.
  ///
  /// - Parameters:
  ///   - dtype: the element type that a parameter is to have; nil leaves it as it is stored.
  ///   - allowsOverflow: whether numbers beyond that type's range become infinite.
  func weights(
    on engine: Engine, allowsOverflow: Bool = false, as dtype: (String) -> DType?
  ) throws -> Named<ShardedArray> {
    try WeightLoader(engine.client, mesh: engine.mesh)
      .load(specs, from: file, names: names, allowsOverflow: allowsOverflow, as: dtype)
  }

  /// The weights that adapters are added to: where they lay, or beside the adapters.
  ///
  /// - Throws: `TrainingError.otherBase` where neither has their content.
  func base(_ adapter: AdapterCard) throws -> ModelHeader {
    let folder = (path as NSString).deletingLastPathComponent
    let beside = (adapter.base as NSString).lastPathComponent
    let places = [adapter.base, folder.isEmpty ? beside : "\(folder)/\(beside)"]
    for place in places where WeightFiles.exist(at: place) {
      if try WeightFiles.contentHash(place) == adapter.content { return try ModelHeader(place) }
    }
    throw TrainingError.otherBase(path: path, places: places)
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
