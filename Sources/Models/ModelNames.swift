import Weights

extension ModelConfig {
  /// The names of LoRA in files of their own, as in diffusers and PEFT.
  public var loraNames: NameMap { names.forLoRA }
}
