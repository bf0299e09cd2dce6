import Flow
import Layers
import Models
import Recipe

extension ModelFile {
  /// The description of a model in its file of weights.
  public struct Card: Codable, Hashable, Sendable {
    /// The network.
    public var model: ModelConfig
    /// Whether the network was trained with target times other than the current one, which
    /// generation in a few steps needs.
    public var anyStep: Bool
    /// The guidance scale for generation; 0 where guidance is trained into the weights, or not
    /// used.
    public var guidance: Double
    /// How the network receives target times.
    public var timeConvention = TimeConvention.pair
    /// The adapters that the file holds, nil where it holds the whole network.
    public var adapter: AdapterCard?

    /// Makes a card.
    public init(model: ModelConfig, anyStep: Bool = false, guidance: Double = 0) {
      self.model = model
      self.anyStep = anyStep
      self.guidance = guidance
    }

    /// Reads a card; without a time convention it is `pair`.
    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      model = try keys.decode(ModelConfig.self, forKey: .model)
      anyStep = try keys.decode(Bool.self, forKey: .anyStep)
      guidance = try keys.value(.guidance, in: 0...1000)
      timeConvention =
        try keys.decodeIfPresent(TimeConvention.self, forKey: .timeConvention) ?? .pair
      adapter = try keys.decodeIfPresent(AdapterCard.self, forKey: .adapter)
    }
  }
}

/// The low-rank adapters that a file holds in place of a whole network.
public struct AdapterCard: Codable, Hashable, Sendable {
  /// Their rank, scale and places.
  public var adapters: LoRA
  /// Where the weights lie that they are added to.
  public var base: String
  /// The hash of those weights' content.
  public var content: String
  /// How those weights were kept while the adapters were trained; nil as they are stored.
  public var baseDType: BaseDType?

  /// Makes a card.
  public init(adapters: LoRA, base: String, content: String, baseDType: BaseDType? = nil) {
    self.adapters = adapters
    self.base = base
    self.content = content
    self.baseDType = baseDType
  }
}
