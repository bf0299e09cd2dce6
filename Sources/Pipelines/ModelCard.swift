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
    /// The LoRA that the file holds, nil where it holds the whole network.
    public var lora: LoRACard?

    private enum CodingKeys: String, CodingKey {
      case model, anyStep, guidance, timeConvention
      case lora = "adapter"
    }

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
      lora = try keys.decodeIfPresent(LoRACard.self, forKey: .lora)
    }
  }
}

/// The description of a file that holds LoRA instead of a whole network.
public struct LoRACard: Codable, Hashable, Sendable {
  /// The rank, the scale and the maps.
  public var lora: LoRA
  /// The path of the weights that it was trained with.
  public var base: String
  /// The hash of the content of those weights.
  public var content: String
  /// The element type of those weights in training; nil where they were as stored.
  public var baseDType: BaseDType?

  private enum CodingKeys: String, CodingKey {
    case lora = "adapters"
    case base, content, baseDType
  }

  /// Makes a card.
  public init(lora: LoRA, base: String, content: String, baseDType: BaseDType? = nil) {
    self.lora = lora
    self.base = base
    self.content = content
    self.baseDType = baseDType
  }
}
