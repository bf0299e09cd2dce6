import Weights

extension ModelConfig {
  /// The names of LoRA in files of their own, as in diffusers and PEFT.
  public var loraNames: NameMap { names.forLoRA }

  /// The names and layouts that files of LoRA for this network may follow, see `LoRAFile.fitted`.
  public var loraLayouts: [NameMap] {
    (architecture as? any PublishedTransformer)?.layouts ?? [names]
  }
}
