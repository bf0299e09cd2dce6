import Datasets
import Files
import Flow
import Layers
import Models
import Pipelines
import Recipe
import Tensors

/// Everything that a training run depends on, as a YAML file says it.
public struct TrainingRecipe: Hashable, Sendable {
  /// The network.
  public var model = ModelConfig(DiTConfig())
  /// What it is trained to do.
  public var objective = ObjectiveConfig(TwinFlowSettings())
  /// The data.
  public var data = DataConfig(FashionMNISTData())
  /// The optimizer.
  public var optimizer = OptimizerConfig.defaults
  /// Samples in a step.
  public var batch = 1
  /// Into how many micro-batches a step's samples are divided, one after the other, to save memory.
  public var accumulation = 1
  /// Steps in the run.
  public var steps = 1
  /// The weights to start from, a path relative to the working directory or that of weights which
  /// come with the program; fresh ones if absent.
  public var start: String?
  /// Low-rank adapters that are trained instead of the weights; nil trains the weights.
  public var lora: LoRA?
  /// The part of the samples whose condition is taken away.
  public var conditionDropout = 0.0
  /// The decay of the weights' exponential moving average, which is saved for generation; 0 saves the
  /// weights.
  public var emaDecay = 0.0
  /// The scale of guidance that the weights' file asks of generation.
  public var guidance = 0.0
  /// The devices that the run is spread over.
  public var mesh = Mesh()
  /// The element type that networks compute in; weights and what is kept of them stay in f32.
  public var precision = Precision.float32
  /// The seed of everything random.
  public var seed: UInt64 = 0
  /// The folder of the run.
  public var output = ""
  /// Steps from one log line to the next.
  public var logEvery = 50
  /// Steps from one checkpoint to the next.
  public var checkpointEvery = 500

  /// The most steps of a run: they are counted in 32 bits.
  public static let mostSteps = Int(Int32.max)

  private init() {}
}

extension TrainingRecipe: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("model", \.model, "the network").required,
    Field("objective", \.objective, "what it is trained to do").required,
    Field("data", \.data, "where samples come from").required,
    Field("optimizer", \.optimizer, "the optimizer and its schedule").required,
    Field("batch", \.batch, in: 1...1 << 24, "samples in a step").required,
    Field(
      "gradient_accumulation_steps", \.accumulation, in: 1...1 << 24,
      "micro-batches of a step, one after the other, to save memory"),
    Field("steps", \.steps, in: 1...mostSteps, "steps in the run").required
      .mayDiffer(.whenResumed),
    Field("start", path: \.start, "weights to start from, of the same model; fresh if absent")
      .mayDiffer(.always),
    Field("lora", \.lora, "low-rank adapters that are trained instead of the weights")
      .was("adapters"),
    Field(
      "condition_dropout", \.conditionDropout, in: 0...1,
      "fraction of the samples whose class is dropped, for guidance"),
    Field(
      "ema_decay", \.emaDecay, in: 0..<1,
      "decay of the weights' moving average, which is saved; 0 for the weights"
    ).was("smoothing"),
    Field(
      "guidance", \.guidance, in: 0...1000, "guidance scale that the saved weights ask for"),
    Field("mesh", \.mesh, "devices that the run is spread over").mayDiffer(.always),
    Field("precision", \.precision, "f32, or bf16 for networks alone: weights stay in f32"),
    Field("seed", \.seed, "the seed of everything random"),
    Field("output", path: \.output, "the folder of the run").required.mayDiffer(.always),
    Field("log_every", \.logEvery, in: 1..., "steps from one line of the log to the next")
      .mayDiffer(.always),
    Field("checkpoint_every", \.checkpointEvery, in: 1..., "steps from one checkpoint to the next")
      .mayDiffer(.always),
  ]

  /// Checks that the parts fit each other.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public func validate() throws {
    guard data.sampleShape == model.sampleShape() else {
      throw invalid(
        \.data, found: data.kind,
        "its samples are \(data.sampleShape), those of the model \(model.sampleShape())")
    }
    guard model.canHold(batch: batch) else {
      throw invalid(
        \.batch,
        "no device could hold what the network computes for so many samples of "
          + "\(model.sampleShape())")
    }
    // A network without conditions looks at no class.
    if model.classes > 0 {
      guard data.classes > 0 else {
        throw invalid(
          \.data, found: data.kind, "it has no classes, which the network is conditioned on")
      }
      guard model.classes >= data.classes else {
        throw invalid(
          \.model, found: "a network of \(model.classes) classes",
          "\(data.kind) has \(data.classes): set classes to \(data.classes) or more")
      }
    }
    if objective.settings.needsStart, start == nil {
      throw invalid(
        \.objective, found: objective.kind,
        "the teacher is a trained network: name its weights under start")
    }
    if model.conditions.isEmpty {
      guard conditionDropout == 0 else {
        throw invalid(
          \.conditionDropout,
          "the model is not conditioned on anything: set it to 0")
      }
      guard !objective.settings.needsConditions else {
        throw invalid(
          \.objective, found: objective.kind,
          "the model is not conditioned on anything, so there is no guidance to fold in: set "
            + "enhanced_ratio to 0")
      }
    }
    if let lora {
      guard start != nil else {
        throw invalid(
          \.lora, found: lora.rank,
          "LoRA changes a trained network: name its weights under start")
      }
      guard model.weights(with: lora).names.contains(where: lora.trains) else {
        throw invalid(
          \.lora, found: lora.layers,
          "no linear map of the network has such a name: \(model.linearMaps.joined(separator: ", "))"
        )
      }
    }
    let classifies = objective.settings is ClassificationSettings
    guard classifies != model.isGenerative else {
      throw invalid(
        \.objective, found: objective.kind,
        classifies
          ? "classification trains a classifier; this network is trained by twinflow or tutorial"
          : "a classifier is trained by classification")
    }
    do {
      let whole = try objective.settings.objective(batch: batch)
      guard whole != nil || accumulation == 1 else {
        throw invalid(
          \.accumulation, "classification has no micro-batches: set it to 1")
      }
      _ = try whole?.microBatch(of: accumulation)
    } catch let error as FlowError {
      throw invalid(\.batch, "\(error)")
    }
    if let misfit = misfit(of: mesh) {
      throw invalid(\.mesh, misfit.description)
    }
  }
}

extension TrainingRecipe {
  /// The place of the weights to start from, nil where there are none.
  ///
  /// - Throws: `FileError.notFound` where they should come with the program and do not.
  public func startPath() throws(FileError) -> String? {
    guard let start else { return nil }
    return try SharedFiles.standard.path(start)
  }

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
