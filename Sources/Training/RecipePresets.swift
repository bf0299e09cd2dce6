import Flow
import Recipe

extension Preset {
  /// A whole recipe with the preset's settings: on Fashion-MNIST, from the base model that comes with
  /// the project where the method needs one.
  public func recipe() throws -> TrainingRecipe {
    let isTutorial = self == .tutorial
    let fromBase = self != .flowMatching && !isTutorial
    let adapters = trainsLoRA ? "lora: {rank: 16, alpha: 32}" : ""
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
      \(adapters)
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

extension TrainingRecipe {
  /// The recipe as YAML with a comment on every field.
  public func text(heading: String) throws -> String {
    try RecipeWriter.text(self, heading: heading) { Self.comments[$0] }
  }

  /// What is said of each field, by its keys joined by dots.
  static let comments: [String: String] = [
    "model": "the network",
    "model.kind": "dit, tutorial-unet, perceptron or classifier",
    "model.size": "height and width of the images",
    "model.channels": "channels of the images",
    "model.patch": "height and width of the patches that become tokens",
    "model.width": "features of a token, or of the first convolution",
    "model.depth": "blocks",
    "model.heads": "heads of attention",
    "model.mlp_ratio": "hidden features of a block's perceptron, times the width",
    "model.features": "features of times and labels, or those that images are compared by",
    "model.classes": "classes; one more label stands for none",
    "model.time_scale": "what times are multiplied with before their sinusoids",
    "model.execution": "unrolled runs fastest, scanned compiles fastest, recomputed is smallest",
    "objective": "what it is trained to do",
    "objective.kind": "twinflow, tutorial or classification",
    "objective.groups": "parts of a batch",
    "objective.order": "N of RCGM: steps of the target network; 0 leaves RCGM out",
    "objective.consistency_ratio": "how far the target time may lie from the current one",
    "objective.enhanced_ratio": "guidance w folded into the target: in the end w / (1 - w)",
    "objective.enhanced_range": "times, ends excluded, at which it is folded in",
    "objective.time_distribution": "a, b, scale: times are Beta(a, b) times the scale",
    "objective.regression_loss": "{kind: l2}, or barron with alpha and c",
    "objective.rectification": "weight of the rectification loss",
    "objective.target_ema_decay": "the target network: 0 live, 1 initial, else an average",
    "objective.data_free": "one-step samples of the network stand in for data",
    "objective.time_convention": "pair: both times; middle: the one time t - tt/2",
    "objective.twin": "whether the twin trajectory's losses are added to RCGM's",
    "data": "where samples come from",
    "data.kind": "fashion-mnist, a set of points, or noise",
    "data.path": "its folder, if not where its Debian package puts it",
    "data.flip": "whether half of the pictures are mirrored",
    "optimizer": "how weights follow gradients",
    "optimizer.kind": "adamw, adam, radam or sgd",
    "optimizer.learning_rate": "the learning rate at its highest",
    "optimizer.warmup": "steps in which it rises from 0",
    "optimizer.decay": "what follows: constant, linear or cosine",
    "optimizer.betas": "rates of the moments' averages; for sgd the momentum",
    "optimizer.max_grad_norm": "global norm that gradients are scaled down to; 0 leaves them",
    "optimizer.final_learning_rate": "the rate at the end, as a part of the highest",
    "optimizer.weight_decay": "decoupled weight decay",
    "batch": "samples in a step",
    "steps": "steps in the run",
    "start": "weights to start from",
    "lora": "low-rank factors that are trained instead of the weights",
    "lora.rank": "rows of A, columns of B",
    "lora.alpha": "their product is multiplied with alpha / rank",
    "lora.layers": "parts of the paths of maps that have them; all if empty",
    "lora.full": "parts of the paths of weights trained in full",
    "ema_decay": "decay of the moving average that generation gets; 0 for the weights",
    "guidance": "scale of guidance that generation is told to use",
    "mesh": "devices that the run is spread over",
    "mesh.data": "copies of the weights, each for other samples",
    "mesh.fsdp": "devices that weights are split over, each for other samples",
    "mesh.tensor": "devices that the features of each product are split over",
    "precision": "f32, or bf16 for networks alone: weights stay in f32",
    "seed": "the seed of everything random",
    "output": "the folder of the run",
    "condition_dropout": "part of the samples whose class is taken away",
    "log_every": "steps from one line of the log to the next",
    "checkpoint_every": "steps from one checkpoint to the next",
  ]
}
