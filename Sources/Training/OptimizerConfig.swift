import Optimizers
import Recipe

/// The optimizer.
public struct OptimizerConfig: Hashable, Sendable, RecipeGroup {
  /// The rules that can be named.
  public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
    case adam, adamw, radam, sgd

    fileprivate var usualBetas: [Double] { self == .sgd ? [0] : [0.9, 0.999] }
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

  /// The values of absent keys.
  public static let defaults = OptimizerConfig(
    kind: .adamw, learningRate: 1e-3, warmup: 0, decay: .constant, finalLearningRate: 0,
    weightDecay: 0, betas: Kind.adamw.usualBetas, maxGradNorm: 0)

  /// What it is.
  public static let summary = "The optimizer; its schedule is stretched over `steps`."

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("kind", \.kind, "the rule: adamw, adam, radam or sgd").required,
    Field(
      "learning_rate", \.learningRate, where: { $0 > 0 }, else: "it must be above 0",
      "the learning rate at its highest"
    ).required.was("rate"),
    Field("warmup", \.warmup, in: 0...TrainingRecipe.mostSteps, "steps in which it rises from 0"),
    Field("decay", \.decay, "what follows: constant, linear or cosine"),
    Field(
      "final_learning_rate", \.finalLearningRate, in: 0...1,
      "the learning rate at the end, as a fraction of the highest"
    ).was("final_rate"),
    Field(
      "weight_decay", \.weightDecay, in: 0..., "decoupled; for sgd it is added to the gradient"),
    Field("betas", \.betas, "decay rates of the moments; for sgd the momentum alone")
      .otherwise("`[0.9, 0.999]`, for sgd `[0]`") { $0.betas = $0.kind.usualBetas },
    Field(
      "max_grad_norm", \.maxGradNorm, in: 0...,
      "global norm that gradients are clipped to; 0 leaves them"
    ).was("clip"),
  ]

  /// Checks the numbers that depend on the rule.
  public func validate() throws {
    let usual = kind.usualBetas
    guard betas.count == usual.count, betas.allSatisfy({ (0..<1).contains($0) }) else {
      throw invalid(
        \.betas,
        "it must be \(usual.count == 1 ? "one momentum" : "two rates") below 1, as in \(usual)")
    }
    if kind == .adam, weightDecay != 0 {
      throw invalid(\.weightDecay, "adam has no weight decay here: use adamw")
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
