import Optimizers
import Recipe

/// The optimizer.
public struct OptimizerConfig: Hashable, Sendable, RecipeGroup {
  /// The optimizers that recipes can name.
  public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
    case adam, adamw, radam, sgd

    fileprivate var usualBetas: [Double] { self == .sgd ? [0] : [0.9, 0.999] }
  }

  /// How the moments are kept.
  public enum State: String, Codable, Hashable, Sendable, CaseIterable {
    case float32 = "f32"
    case int8
  }

  /// The kind of optimizer.
  public var kind: Kind
  /// The peak learning rate.
  public var learningRate: Double
  /// The steps of the linear warmup from 0.
  public var warmup: Int
  /// The decay after the warmup.
  public var decay: Schedule.Decay
  /// The final learning rate as a fraction of the peak.
  public var finalLearningRate: Double
  /// The weight decay: decoupled, but added to the gradient with `sgd`.
  public var weightDecay: Double
  /// The decay rates of the two moments; with `sgd` only the momentum.
  public var betas: [Double]
  /// The largest global norm of gradients, to which they are clipped; 0 does not clip.
  public var maxGradNorm: Double
  /// How the moments are kept: in 8 bits they take a quarter of the memory, see `BlockwiseMoments`.
  public var state = State.float32

  /// The values of absent keys.
  public static let defaults = OptimizerConfig(
    kind: .adamw, learningRate: 1e-3, warmup: 0, decay: .constant, finalLearningRate: 0,
    weightDecay: 0, betas: Kind.adamw.usualBetas, maxGradNorm: 0)

  /// The description in the reference.
  public static let summary = "The optimizer; its schedule spans `steps`."

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("kind", \.kind, "adamw, adam, radam or sgd").required,
    Field(
      "learning_rate", \.learningRate, where: { $0 > 0 }, else: "it must be above 0",
      "peak learning rate"
    ).required.was("rate"),
    Field("warmup", \.warmup, in: 0...TrainingRecipe.mostSteps, "steps of linear warmup from 0"),
    Field("decay", \.decay, "decay after the warmup: constant, linear or cosine"),
    Field(
      "final_learning_rate", \.finalLearningRate, in: 0...1,
      "final learning rate as a fraction of the peak"
    ).was("final_rate"),
    Field(
      "weight_decay", \.weightDecay, in: 0...,
      "weight decay: decoupled; with sgd added to the gradient"),
    Field("betas", \.betas, "decay rates of the two moments; with sgd only the momentum")
      .otherwise("`[0.9, 0.999]`, for sgd `[0]`") { $0.betas = $0.kind.usualBetas },
    Field(
      "max_grad_norm", \.maxGradNorm, in: 0...,
      "global norm that gradients are clipped to; 0 does not clip"
    ).was("clip"),
    Field(
      "state", \.state, "moments in f32, or in int8: 8 bits with a scale for each block of 256"),
  ]

  /// Checks the numbers that depend on the kind.
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

  /// The optimizer with its settings.
  public var optimizer: any Optimizer {
    state == .int8 ? BlockwiseMoments(wide) : wide
  }

  /// The optimizer with its state in f32.
  private var wide: any Optimizer {
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
