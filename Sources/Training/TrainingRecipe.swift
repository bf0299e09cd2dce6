import Files
import Flow
import Layers
import Models
import Optimizers
import Recipe
import Tensors

/// Everything that a training run depends on, as a YAML file says it.
public struct TrainingRecipe: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of keys.
  public static let renamed = ["smoothing": "ema_decay", "adapters": "lora"]

  /// The network.
  public var model: ModelConfig
  /// What it is trained to do.
  public var objective: ObjectiveConfig
  /// The data.
  public var data: DataConfig
  /// How weights follow gradients.
  public var optimizer: OptimizerConfig
  /// Samples in a step.
  public var batch: Int
  /// Steps in the run.
  public var steps: Int
  /// The weights to start from, a path relative to the working directory or that of weights which
  /// come with the program; fresh ones if absent.
  public var start: String?
  /// Low-rank adapters that are trained instead of the weights; nil trains the weights.
  public var lora: LoRA?
  /// The part of the samples whose condition is taken away.
  public var conditionDropout: Double
  /// The decay of the weights' exponential moving average, which is saved for generation; 0 saves the
  /// weights.
  public var emaDecay: Double
  /// The scale of guidance that the weights' file asks of generation.
  public var guidance: Double
  /// The devices that the run is spread over.
  public var mesh: Mesh
  /// The element type that networks compute in; weights and what is kept of them stay in f32.
  public var precision: Precision
  /// The seed of everything random.
  public var seed: UInt64
  /// The folder of the run.
  public var output: String
  /// Steps from one log line to the next.
  public var logEvery: Int
  /// Steps from one checkpoint to the next.
  public var checkpointEvery: Int

  /// The most steps of a run: they are counted in 32 bits.
  public static let mostSteps = Int(Int32.max)

  enum CodingKeys: String, CodingKey {
    case model, objective, data, optimizer, batch, steps, start, lora, guidance
    case mesh, precision, seed, output
    case emaDecay = "ema_decay"
    case conditionDropout = "condition_dropout"
    case logEvery = "log_every"
    case checkpointEvery = "checkpoint_every"
  }

  /// Reads a recipe; keys that have defaults may be absent.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    model = try keys.value(.model)
    objective = try keys.value(.objective)
    data = try keys.value(.data)
    optimizer = try keys.value(.optimizer)
    batch = try keys.value(.batch, in: 1...1 << 24)
    steps = try keys.value(.steps, in: 1...Self.mostSteps)
    start = try keys.path(.start, default: nil)
    lora = try keys.value(.lora, default: nil)
    conditionDropout = try keys.value(.conditionDropout, default: 0, in: 0...1)
    emaDecay = try keys.value(.emaDecay, default: 0, in: 0..<1)
    guidance = try keys.value(.guidance, default: 0, in: 0...1000)
    mesh = try keys.value(.mesh, default: Mesh())
    precision = try keys.value(.precision, default: .float32)
    seed = try keys.value(.seed, default: 0)
    output = try keys.path(.output)
    logEvery = try keys.value(.logEvery, default: 50, in: 1...)
    checkpointEvery = try keys.value(.checkpointEvery, default: 500, in: 1...)
    guard data.shape == model.sample.shape else {
      throw InvalidRecipeValue(
        CodingKeys.data, data.kind.rawValue,
        "its samples are \(data.shape), those of the model \(model.sample.shape)")
    }
    guard model.canHold(batch: batch) else {
      throw InvalidRecipeValue(
        CodingKeys.batch, batch,
        "no device could hold what the network computes for so many samples of "
          + "\(model.sample.shape)")
    }
    // A network that knows no classes looks at no label.
    if model.sample.classes > 0, model.sample.classes < data.classes {
      throw InvalidRecipeValue(
        CodingKeys.model, "a network of \(model.sample.classes) classes",
        "\(data.kind.rawValue) has \(data.classes): set classes to \(data.classes) or more")
    }
    if case .distributionMatching = objective, start == nil {
      throw InvalidRecipeValue(
        CodingKeys.objective, objective.kind.rawValue,
        "the teacher is a trained network: name its weights under start")
    }
    if model.sample.classes == 0 {
      guard conditionDropout == 0 else {
        throw InvalidRecipeValue(
          CodingKeys.conditionDropout, conditionDropout, "the model knows no classes: set it to 0")
      }
      guard objective.enhancedRatio == 0 || objective.isDataFree else {
        throw InvalidRecipeValue(
          CodingKeys.objective, "enhanced_ratio \(objective.enhancedRatio)",
          "the model knows no classes that guidance could tell apart: set it to 0")
      }
    }
    if let lora {
      guard start != nil else {
        throw InvalidRecipeValue(
          CodingKeys.lora, lora.rank,
          "LoRA changes a trained network: name its weights under start")
      }
      guard model.weights(with: lora).names.contains(where: lora.trains) else {
        throw InvalidRecipeValue(
          CodingKeys.lora, lora.layers,
          "no linear map of the network has such a name: \(model.linearMaps.joined(separator: ", "))"
        )
      }
    }
    switch (model, objective) {
    case (.classifier, .classification): break
    case (.classifier, _):
      throw InvalidRecipeValue(
        CodingKeys.objective, objective.kind.rawValue, "a classifier is trained by classification")
    case (_, .classification):
      throw InvalidRecipeValue(
        CodingKeys.objective, objective.kind.rawValue,
        "classification trains a classifier; this network is trained by twinflow or tutorial")
    default: break
    }
    if let misfit = misfit(of: mesh) {
      throw InvalidRecipeValue(CodingKeys.mesh, mesh, misfit.description)
    }
    if case .twinFlow(let settings) = objective {
      do {
        _ = try Partition(batch: batch, weights: settings.groups)
      } catch {
        throw InvalidRecipeValue(CodingKeys.batch, batch, "\(error)")
      }
    }
  }

  /// The place of the weights to start from, nil where there are none.
  ///
  /// - Throws: `FileError.notFound` where they should come with the program and do not.
  public func startPath() throws(FileError) -> String? {
    guard let start else { return nil }
    return try SharedFiles.standard.path(start)
  }
}

extension TrainingRecipe {
  /// What cannot be split over a mesh, nil where all can.
  public func misfit(of mesh: Mesh) -> ShardingError? {
    guard batch % mesh.batchParts == 0 else {
      return .indivisibleBatch(batch: batch, mesh: mesh)
    }
    for (name, weight) in model.weights(with: lora).pairs {
      if let (axis, _) = weight.sharding.misfit(weight.shape, mesh) {
        return .indivisible(
          name: name, axis: axis, size: weight.shape[axis],
          meaning: weight.sharding.axes[axis]!, mesh: mesh)
      }
    }
    return nil
  }

  /// Whether a weight is trained: all of them, or with adapters those and what is trained in full.
  func trains(_ name: String) -> Bool { lora?.trains(name) ?? true }

  /// The file of the run that generation takes: the weights, or the adapters alone.
  public var result: String {
    output + (lora == nil ? "/weights.safetensors" : "/adapter.safetensors")
  }

  /// What the files of weights say of themselves.
  var card: ModelFile.Card {
    let anyStep =
      switch objective {
      case .twinFlow(let settings): settings.order > 0 && settings.consistencyRatio > 0
      case .tutorial, .distributionMatching: true
      case .classification: false
      }
    var card = ModelFile.Card(model: model, anyStep: anyStep, guidance: guidance)
    if case .twinFlow(let settings) = objective { card.timeConvention = settings.timeConvention }
    return card
  }
}

/// The element types that networks can compute in.
public enum Precision: String, Codable, Hashable, Sendable, CaseIterable {
  /// Single precision.
  case float32 = "f32"
  /// Half the memory and, on devices with units for it, many times the speed.
  case bfloat16 = "bf16"

  /// The element type.
  public var dtype: DType { self == .float32 ? .float32 : .bfloat16 }
}

/// What a network is trained to do.
public enum ObjectiveConfig: Codable, Hashable, Sendable, RenamedKeys {
  /// The new names of the keys of all objectives.
  public static let renamed = TwinFlowSettings.renamed
    .merging(TutorialSettings.renamed) { $1 }
    .merging(DistributionMatchingSettings.renamed) { $1 }

  /// TwinFlow for large models; flow matching and RCGM are settings of it.
  case twinFlow(TwinFlowSettings)
  /// TwinFlow for small networks.
  case tutorial(TutorialSettings)
  /// Distribution matching with three networks.
  case distributionMatching(DistributionMatchingSettings)
  /// Naming an image's class.
  case classification

  enum Kind: String, Codable, CaseIterable {
    case twinflow, tutorial
    case distributionMatching = "distribution-matching"
    case classification
  }
  private enum CodingKeys: String, CodingKey { case kind, preset }

  var kind: Kind {
    switch self {
    case .twinFlow: .twinflow
    case .tutorial: .tutorial
    case .distributionMatching: .distributionMatching
    case .classification: .classification
    }
  }

  /// Guidance that is folded into the target.
  var enhancedRatio: Double {
    switch self {
    case .twinFlow(let settings): settings.enhancedRatio
    case .tutorial(let settings): settings.enhancedRatio
    case .distributionMatching, .classification: 0
    }
  }

  var isDataFree: Bool {
    if case .twinFlow(let settings) = self { settings.dataFree } else { false }
  }

  /// Reads `kind`, or `preset`, and the settings beside it, which replace the preset's.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if let preset: Preset = try keys.value(.preset, default: nil) {
      if let settings = preset.settings {
        self = .twinFlow(try TwinFlowSettings(from: decoder, else: settings))
      } else {
        self = .tutorial(try TutorialSettings(from: decoder))
      }
      return
    }
    switch try keys.value(.kind) as Kind {
    case .twinflow: self = .twinFlow(try TwinFlowSettings(from: decoder))
    case .tutorial: self = .tutorial(try TutorialSettings(from: decoder))
    case .distributionMatching:
      self = .distributionMatching(try DistributionMatchingSettings(from: decoder))
    case .classification: self = .classification
    }
  }

  /// The objective on batches of a size, nil for classification.
  ///
  /// - Throws: `FlowError.batchTooSmall`.
  func objective(batch: Int) throws -> (any Objective)? {
    switch self {
    case .twinFlow(let settings): try TwinFlow(settings, batch: batch)
    case .tutorial(let settings): TutorialTwinFlow(settings)
    case .distributionMatching(let settings): DistributionMatching(settings)
    case .classification: nil
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(kind, forKey: .kind)
    switch self {
    case .twinFlow(let settings): try settings.encode(to: encoder)
    case .tutorial(let settings): try settings.encode(to: encoder)
    case .distributionMatching(let settings): try settings.encode(to: encoder)
    case .classification: break
    }
  }
}

/// How weights follow gradients.
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
