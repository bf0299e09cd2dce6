import Layers
import Recipe
import Weights

extension ModelConfig {
  /// What adapters are called in files of their own: as diffusers and PEFT call them.
  public var adapterNames: NameMap {
    var names = names
    names.prefix = "transformer."
    return names
  }
}

extension LoRA {
  /// What diffusers and PEFT read of adapters beside their arrays.
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

  /// The adapters of a network as others describe them; the layers of a stack one by one.
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
