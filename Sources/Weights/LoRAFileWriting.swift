import Files
import Layers
import Tensors

extension NameMap {
  /// The names of LoRA in files of their own: those of the network below `transformer.`, as diffusers
  /// writes them and ComfyUI reads them. The factors of a kernel with one tap are such kernels too; maps
  /// that are one on disk have factors of their own each.
  public var forLoRA: NameMap {
    let factors = rules.flatMap { rule -> [Rule] in
      guard case .pointwise(let name, let axes) = rule, name.hasSuffix(".weight") else { return [] }
      let map = name.dropLast("weight".count)
      return [LoRA.down, LoRA.up].map { .pointwise(map + $0, axes: axes) }
    }
    let own = rules.filter { rule in
      if case .split = rule { false } else { true }
    }
    var names = NameMap(own + factors, keepsStacks: keepsStacks)
    names.prefix = "transformer."
    return names
  }
}

extension LoRAFile {
  /// The key of the metadata under which files say how the network with this LoRA is sampled.
  public static let samplingKey = "twinflow.sampling"

  /// How the network with this LoRA is sampled, as the program that trained it wrote it; nil where the
  /// file does not say it.
  public var sampling: String? { metadata[Self.samplingKey] }

  /// The metadata of a file of trained LoRA.
  ///
  /// ComfyUI does not read alpha there, so that it must be the rank: see `LoRA.withUnitScale`.
  ///
  /// - Parameters:
  ///   - lora: the LoRA, whose alpha is its rank.
  ///   - factors: the types of the factors by their names in memory.
  ///   - names: their names on disk, see `NameMap.forLoRA`.
  ///   - sampling: see `sampling`.
  public static func metadata(
    of lora: LoRA, factors: Named<TensorType>, names: NameMap, sampling: String? = nil
  ) throws -> [String: String] {
    precondition(lora.alpha == Double(lora.rank), "the scale of written LoRA is 1")
    let shapes = factors.mapValues(\.shape)
    let suffix = ".\(LoRA.down)"
    let maps = factors.names.filter { $0.hasSuffix(suffix) }.flatMap { name in
      names.pieces(of: name, shapes: shapes).map {
        String($0.disk.dropFirst(names.prefix.count).dropLast(suffix.count))
      }
    }
    let description = Description(rank: lora.rank, alpha: lora.alpha, maps: maps)
    var metadata = [LoRAConfiguration.metadataKey: try JSONFile.text(description)]
    metadata[samplingKey] = sampling
    return metadata
  }

  /// What diffusers and PEFT read of LoRA.
  private struct Description: Encodable {
    let rank: Int
    let alpha: Double
    let maps: [String]

    private enum CodingKeys: String, CodingKey {
      case rank = "transformer.r"
      case alpha = "transformer.lora_alpha"
      case maps = "transformer.target_modules"
    }
  }
}
