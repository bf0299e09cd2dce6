import Optimizers
import Recipe

/// The optimizer.
public struct OptimizerConfig: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of keys.
  public static let renamed = [
    "rate": "learning_rate", "final_rate": "final_learning_rate", "clip": "max_grad_norm",
  ]

  /// The rules that can be named.
  public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
    case adam, adamw, radam, sgd
  }

  /// The rule.
  public var kind: Kind
  /// The learning rate at its highest.
  public var learningRate: Double
  /// Steps in which the rate rises from 0.
  public var warmup: Int
  /// What follows the warm-up.
  public var decay: Schedule.Decay
  /// The rate at the end as a part of the highest.
  public var finalLearningRate: Double
  /// Decoupled weight decay; for `sgd` added to the gradient.
  public var weightDecay: Double
  /// The rates of the two moments' averages; `sgd` takes the first as its momentum.
  public var betas: [Double]
  /// The global norm that gradients are scaled down to; 0 leaves them.
  public var maxGradNorm: Double

  enum CodingKeys: String, CodingKey {
    case kind, warmup, decay, betas
    case learningRate = "learning_rate"
    case maxGradNorm = "max_grad_norm"
    case finalLearningRate = "final_learning_rate"
    case weightDecay = "weight_decay"
  }

  /// Reads a rule and its numbers.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    kind = try keys.value(.kind)
    learningRate = try keys.value(.learningRate, where: { $0 > 0 }, "it must be above 0")
    warmup = try keys.value(.warmup, default: 0, in: 0...TrainingRecipe.mostSteps)
    decay = try keys.value(.decay, default: .constant)
    finalLearningRate = try keys.value(.finalLearningRate, default: 0, in: 0...1)
    weightDecay = try keys.value(.weightDecay, default: 0, in: 0...)
    let usual = kind == .sgd ? [0] : [0.9, 0.999]
    betas = try keys.value(
      .betas, default: usual,
      where: { $0.count == usual.count && $0.allSatisfy { (0..<1).contains($0) } },
      "it must be \(usual.count == 1 ? "one momentum" : "two rates") below 1, as in \(usual)")
    maxGradNorm = try keys.value(.maxGradNorm, default: 0, in: 0...)
    if kind == .adam, weightDecay != 0 {
      throw InvalidRecipeValue(
        CodingKeys.weightDecay, weightDecay, "adam has no weight decay here: use adamw")
    }
  }

  /// The rule.
  public var rule: any Optimizer {
    switch kind {
    case .adam, .adamw: AdamW(beta1: betas[0], beta2: betas[1], weightDecay: weightDecay)
    case .radam: RAdam(beta1: betas[0], beta2: betas[1], weightDecay: weightDecay)
    case .sgd: SGD(momentum: betas[0], weightDecay: weightDecay)
    }
  }

  /// The learning rate over the steps.
  public var schedule: Schedule {
    Schedule(peak: learningRate, warmup: warmup, decay: decay, final: finalLearningRate)
  }
}
