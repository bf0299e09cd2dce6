import Flow
import Layers
import Models
import Recipe

extension ModelFile {
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
    /// The adapters that the file holds, nil where it holds the whole network.
    public var adapter: AdapterCard?

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
