import Layers
import Recipe
import Weights

extension ModelConfig {
  /// The names of LoRA in files of their own, as in diffusers and PEFT.
  public var loraNames: NameMap {
    var names = names
    names.prefix = "transformer."
    return names
  }
}

extension LoRA {
  /// The metadata of LoRA that diffusers and PEFT read.
  public struct Published: Encodable, Sendable {
    let rank: Int
    let alpha: Double
    let maps: [String]

    private enum CodingKeys: String, CodingKey {
      case rank = "transformer.r"
      case alpha = "transformer.lora_alpha"
      case maps = "transformer.target_modules"
    }

    /// Writes the keys that are read.
    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(rank, forKey: .rank)
      try keys.encode(alpha, forKey: .alpha)
      try keys.encode(maps, forKey: .maps)
    }
  }

  /// The metadata for a network, with the layers of a stack listed one by one.
  public func published(_ model: ModelConfig) -> Published {
    let suffix = ".lora_A.weight"
    let maps = model.weights(with: self).pairs.filter { $0.name.hasSuffix(suffix) }.flatMap {
      name, spec in
      let path = String(name.dropLast(suffix.count))
      return path.split(separator: ".").contains("*")
        ? (0..<spec.shape[0]).map { NameMap.numbered(path, $0) } : [path]
    }
    return Published(rank: rank, alpha: alpha, maps: maps)
  }
}
