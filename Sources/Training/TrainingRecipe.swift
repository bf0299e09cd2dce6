import Datasets
import Files
import Flow
import Layers
import Models
import Pipelines
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
  /// The optimizer.
  public var optimizer: OptimizerConfig
  /// Samples in a step.
  public var batch: Int
  /// Into how many micro-batches a step's samples are divided, one after the other, to save memory.
  public var accumulation: Int
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
    case accumulation = "gradient_accumulation_steps"
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
    accumulation = try keys.value(.accumulation, default: 1, in: 1...1 << 24)
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
    guard data.sampleShape == model.sampleShape() else {
      throw InvalidRecipeValue(
        CodingKeys.data, data.kind,
        "its samples are \(data.sampleShape), those of the model \(model.sampleShape())")
    }
    guard model.canHold(batch: batch) else {
      throw InvalidRecipeValue(
        CodingKeys.batch, batch,
        "no device could hold what the network computes for so many samples of "
          + "\(model.sampleShape())")
    }
    // A network without conditions looks at no class.
    if model.classes > 0 {
      guard data.classes > 0 else {
        throw InvalidRecipeValue(
          CodingKeys.data, data.kind, "it has no classes, which the network is conditioned on")
      }
      guard model.classes >= data.classes else {
        throw InvalidRecipeValue(
          CodingKeys.model, "a network of \(model.classes) classes",
          "\(data.kind) has \(data.classes): set classes to \(data.classes) or more")
      }
    }
    if objective.settings.needsStart, start == nil {
      throw InvalidRecipeValue(
        CodingKeys.objective, objective.kind,
        "the teacher is a trained network: name its weights under start")
    }
    if model.conditions.isEmpty {
      guard conditionDropout == 0 else {
        throw InvalidRecipeValue(
          CodingKeys.conditionDropout, conditionDropout,
          "the model is not conditioned on anything: set it to 0")
      }
      guard !objective.settings.needsConditions else {
        throw InvalidRecipeValue(
          CodingKeys.objective, objective.kind,
          "the model is not conditioned on anything, so there is no guidance to fold in: set "
            + "enhanced_ratio to 0")
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
    let classifies = objective.settings is ClassificationSettings
    guard classifies != model.isGenerative else {
      throw InvalidRecipeValue(
        CodingKeys.objective, objective.kind,
        classifies
          ? "classification trains a classifier; this network is trained by twinflow or tutorial"
          : "a classifier is trained by classification")
    }
    do {
      let whole = try objective.settings.objective(batch: batch)
      guard whole != nil || accumulation == 1 else {
        throw InvalidRecipeValue(
          CodingKeys.accumulation, accumulation, "classification has no micro-batches: set it to 1")
      }
      _ = try whole?.microBatch(of: accumulation)
    } catch let error as FlowError {
      throw InvalidRecipeValue(CodingKeys.batch, batch, "\(error)")
    }
    if let misfit = misfit(of: mesh) {
      throw InvalidRecipeValue(CodingKeys.mesh, mesh, misfit.description)
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
    guard batch % accumulation == 0, batch / accumulation % mesh.batchShards == 0 else {
      return .indivisibleBatch(batch: batch / accumulation, mesh: mesh)
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
    var card = ModelFile.Card(
      model: model, anyStep: objective.settings.teachesAnyStep, guidance: guidance)
    card.timeConvention = objective.settings.timeConvention
    return card
  }
}
