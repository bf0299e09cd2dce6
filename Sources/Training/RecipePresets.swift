import Flow
import Recipe

extension Preset {
  /// A whole recipe with the preset's settings: on Fashion-MNIST, from the base model that comes with
  /// the project where the method needs one.
  public func recipe() throws -> TrainingRecipe {
    let isTutorial = self == .tutorial
    let fromBase = self != .flowMatching && !isTutorial
    let lora = trainsLoRA ? "lora: {rank: 16, alpha: 32}" : ""
    let yaml = """
      model: {kind: \(isTutorial ? "tutorial-unet" : "dit")}
      objective: {preset: \(rawValue)}
      data: {kind: fashion-mnist}
      optimizer:
        kind: \(isTutorial ? "adam" : "adamw")
        learning_rate: \(isTutorial ? "2e-4" : fromBase ? "3e-4" : "1e-3")
        warmup: 100
        decay: cosine
        betas: [0.9, 0.99]
        max_grad_norm: 1
      \(fromBase ? "start: Assets/fashion-mnist-base.safetensors" : "")
      \(lora)
      condition_dropout: \(isTutorial ? 0 : 0.1)
      batch: 128
      steps: 4000
      ema_decay: 0.998
      guidance: \(self == .flowMatching ? 0.8 : 0)
      output: out/\(rawValue)
      """
    return try RecipeDecoder.decode(yaml: yaml, file: rawValue)
  }
}
