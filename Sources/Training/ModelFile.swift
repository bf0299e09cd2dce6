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
  /// The weights on the device, of the types that the network declares.
  public let weights: Named<Buffer>

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
    weights = try file.buffers(card.model.weights.mapValues(\.type), on: engine)
  }

  /// Writes a network's weights, atomically.
  ///
  /// - Parameter dtype: how floats are stored.
  /// - Throws: `FileError.unwritable`; a file that was there stays.
  public static func write(
    _ weights: Named<Buffer>, card: Card, to path: String, as dtype: DType = .float32,
    on engine: Engine
  ) throws {
    let json = try JSONFile.text(card)
    let stored = try engine.cast(weights) { $0.isFloat ? dtype : $0 }
    try WeightFiles.write(stored.types, metadata: [key: json], to: path) {
      try stored[$0]!.bytes()
    }
  }
}

extension WeightFiles {
  /// The arrays on a device, as the expected types say; floats of another width are converted.
  ///
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen.
  func buffers(_ expected: Named<TensorType>, on engine: Engine) throws -> Named<Buffer> {
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
    let stored = try expected.map { name, _ in
      try engine.client.buffer(
        sharing: bytes(name)!, owner: owner(of: name)!, types[name]!.bufferType)
    }
    var wanted = expected.pairs.makeIterator()
    return try engine.cast(stored) { _ in wanted.next()!.value.dtype }
  }
}

extension Engine {
  /// The buffers with other element types; nothing is copied where none changes.
  func cast(
    _ buffers: Named<Buffer>, to dtype: (DType) -> DType
  ) throws -> Named<Buffer> {
    let wanted = buffers.mapValues { dtype($0.dtype) }
    guard buffers.names.contains(where: { buffers[$0]!.dtype != wanted[$0]! }) else {
      return buffers
    }
    return try compile(buffers.types) { $0.map { $1.cast(to: wanted[$0]!) } }(buffers)
  }
}
