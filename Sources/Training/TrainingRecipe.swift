import Datasets
import Files
import Flow
import Layers
import Models
import Pipelines
import Recipe
import Tensors

/// The recipe of a training run: everything that it depends on, as a YAML file.
public struct TrainingRecipe: Hashable, Sendable {
  /// The network.
  public var model = ModelConfig(DiTConfig())
  /// The training objective.
  public var objective = ObjectiveConfig(TwinFlowSettings())
  /// The data.
  public var data = DataConfig(FashionMNISTData())
  /// The optimizer.
  public var optimizer = OptimizerConfig.defaults
  /// The samples of a step.
  public var batch = 1
  /// The micro-batches that a step is divided into; they run in sequence, to save memory.
  public var accumulation = 1
  /// The steps of the run.
  public var steps = 1
  /// The weights to start from, a path relative to the working directory or that of weights that
  /// come with the program; fresh weights if absent.
  public var start: String?
  /// The folder of the model whose text encoder and autoencoder prepare the data; nil for that of
  /// `start`.
  public var encoders: String?
  /// The folder in which encoded pictures and prompts are kept; nil for one in the folder of the run.
  public var cache: String?
  /// LoRA, which is trained instead of the weights; nil trains the weights.
  public var lora: LoRA?
  /// The element type of the frozen weights with LoRA.
  public var baseDType = BaseDType.stored
  /// The weights that are not trained, by patterns of their names in which `*` stands for any text.
  public var freeze: [String] = []
  /// A file of LoRA that is bound to all networks while they are trained, and is no part of what is saved.
  public var trainingLoRA: String?
  /// The fraction of the samples whose condition is dropped.
  public var conditionDropout = 0.0
  /// The decay of the weights' exponential moving average, which is saved for generation; 0 saves the
  /// weights.
  public var emaDecay = 0.0
  /// The default guidance scale of generation with the saved weights.
  public var guidance = 0.0
  /// The devices that the run is sharded over.
  public var mesh = Mesh()
  /// The element type that networks compute in; weights, gradients and moments stay in f32.
  public var precision = Precision.float32
  /// The seed of all random numbers.
  public var seed: UInt64 = 0
  /// The folder of the run.
  public var output = ""
  /// Steps from one log line to the next.
  public var logEvery = 50
  /// Steps from one checkpoint to the next.
  public var checkpointEvery = 500
  /// The number of the newest checkpoints that are kept.
  public var keepLast = 2
  /// The checkpoints of every so many steps are kept in addition; nil keeps none.
  public var keepEvery: Int?
  /// The metric whose best checkpoint is kept in addition; nil keeps none.
  public var keepBest: String?
  /// Steps from one sample grid to the next; 0 for none.
  public var sampleEvery = 0
  /// The prompts or classes of the rows of sample grids; empty for the first classes, or the first prompts
  /// of the data.
  public var samplePrompts: [String] = []
  /// The pictures of each prompt in a sample grid, for each number of steps.
  public var sampleCount = 2
  /// The numbers of steps in sample grids.
  public var sampleSteps = [1, 2, 4, 8]
  /// The number of steps of the base model in sample grids.
  public var sampleBaseSteps = 50
  /// Steps from one evaluation to the next; 0 for none.
  public var evaluateEvery = 0
  /// The pictures that are measured in an evaluation; of prompts the most of a split.
  public var evaluateSamples = 1000
  /// The file of prompts with real pictures that a text-to-image model is evaluated on; nil for none.
  public var evaluatePrompts: String?
  /// The splits of the prompts, measured each by itself; empty for all prompts together.
  public var evaluateSplits: [String] = []
  /// The pictures of each prompt in an evaluation.
  public var evaluateCount = 1
  /// The numbers of sampling steps in evaluations.
  public var evaluateSteps = [1]

  /// The maximum number of steps; they are counted in 32 bits.
  public static let mostSteps = Int(Int32.max)

  private init() {}
}

extension TrainingRecipe: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("model", \.model, "the network").required,
    Field("objective", \.objective, "the training objective").required,
    Field("data", \.data, "the training data").required,
    Field("optimizer", \.optimizer, "the optimizer and its schedule").required,
    Field("batch", \.batch, in: 1...1 << 24, "samples in a step").required,
    Field(
      "gradient_accumulation_steps", \.accumulation, in: 1...1 << 24,
      "micro-batches of a step, run in sequence to save memory"),
    Field("steps", \.steps, in: 1...mostSteps, "steps in the run").required
      .mayDiffer(.whenResumed),
    Field("start", path: \.start, "weights to start from, or a published model; fresh if absent")
      .mayDiffer(.always),
    Field(
      "encoders", path: \.encoders,
      "model that encodes prompts and pictures, for text-dit also a text encoder; by default start"
    ).mayDiffer(.whenResumed),
    Field(
      "cache", path: \.cache,
      "folder of encoded pictures and prompts, which runs may share; by default `encoded` in output"
    ).mayDiffer(.always),
    Field("lora", \.lora, "low-rank matrices that are trained instead of the weights")
      .was("adapters"),
    Field(
      "base_dtype", \.baseDType,
      "frozen weights with LoRA: stored (as in their file), bf16, int8 or int4"),
    Field(
      "freeze", \.freeze,
      "weights that are not trained, by patterns as in [patches.*], * is any text"),
    Field(
      "training_lora", path: \.trainingLoRA,
      "file of LoRA that is on in training and not saved, for models that are distilled already"
    ).mayDiffer(.always),
    Field(
      "condition_dropout", \.conditionDropout, in: 0...1,
      "fraction of the samples whose class or text is dropped, for guidance"),
    Field(
      "ema_decay", \.emaDecay, in: 0..<1,
      "decay of the weights' moving average, which is saved; 0: no average"
    ).was("smoothing"),
    Field(
      "guidance", \.guidance, in: 0...1000, "default guidance scale of the saved weights"),
    Field("mesh", \.mesh, "devices that the run is sharded over").mayDiffer(.always),
    Field("precision", \.precision, "f32, or bf16 for networks; weights stay in f32"),
    Field("seed", \.seed, "seed of all random numbers"),
    Field("output", path: \.output, "folder of the run").required.mayDiffer(.always),
    Field("log_every", \.logEvery, in: 1..., "steps between lines of the log")
      .mayDiffer(.always),
    Field("checkpoint_every", \.checkpointEvery, in: 1..., "steps between checkpoints")
      .mayDiffer(.always),
    Field("keep_last", \.keepLast, in: 1..., "how many of the newest checkpoints are kept")
      .mayDiffer(.always),
    Field(
      "keep_every", \.keepEvery, in: 1...,
      "checkpoints of every so many steps are kept in addition"
    ).mayDiffer(.always),
    Field(
      "keep_best", \.keepBest,
      "metric of the log, such as loss, whose best mean since the checkpoint before keeps a checkpoint"
    ).mayDiffer(.always),
    Field("sample_every", \.sampleEvery, in: 0..., "steps between sample grids; 0: none")
      .mayDiffer(.always),
    Field(
      "sample_prompts", \.samplePrompts,
      "rows of sample grids; if empty the first classes or prompts"
    ).mayDiffer(.always),
    Field("sample_count", \.sampleCount, in: 1...64, "pictures of each prompt in a sample grid")
      .mayDiffer(.always),
    counts("sample_steps", \.sampleSteps, "numbers of sampling steps in sample grids"),
    Field(
      "sample_base_steps", \.sampleBaseSteps, in: SamplerSettings.counts,
      "sampling steps of the base model in sample grids"
    ).mayDiffer(.always),
    Field(
      "evaluate_every", \.evaluateEvery, in: 0...,
      "steps between evaluations, on fashion-mnist or evaluate_prompts; 0: none"
    ).mayDiffer(.always),
    Field(
      "evaluate_samples", \.evaluateSamples, in: 2...100_000,
      "pictures measured in an evaluation; the most prompts of a split"
    ).mayDiffer(.always),
    Field(
      "evaluate_prompts", path: \.evaluatePrompts,
      "JSON lines of prompts with real pictures, for text-to-image models; see docs/evaluation.md"
    ).mayDiffer(.always),
    Field(
      "evaluate_splits", \.evaluateSplits,
      "splits of the prompts, each measured by itself; if empty all together"
    ).mayDiffer(.always),
    Field(
      "evaluate_count", \.evaluateCount, in: 1...64,
      "pictures of each prompt in an evaluation; 2 or more have a diversity"
    ).mayDiffer(.always),
    counts("evaluate_steps", \.evaluateSteps, "numbers of sampling steps in evaluations"),
  ]

  /// A list of numbers of sampling steps.
  private static func counts(
    _ name: String, _ path: WritableKeyPath<Self, [Int]> & Sendable, _ meaning: String
  ) -> Field {
    Field(
      name, path, where: { !$0.isEmpty && $0.allSatisfy(SamplerSettings.counts.contains) },
      else: "it must be numbers of steps up to \(SamplerSettings.counts.upperBound), as in [1, 2]",
      meaning
    ).mayDiffer(.always)
  }
}

extension TrainingRecipe {
  /// Whether a weight is trained: all are that are no tables and that `freeze` does not name, or with LoRA
  /// its matrices and the weights in `full`.
  func trains(_ name: String) -> Bool {
    guard !model.isTable(name) else { return false }
    return lora?.trains(name) ?? !freeze.contains { NamePattern($0).matches(name) }
  }

  /// The network that generates, whose weights are saved: without the second output head of training.
  package var generatingModel: ModelConfig { model.withoutTwinHead }

  /// How the frozen weights are kept.
  ///
  /// - Parameter base: the file of the weights; without it they are taken to be in f32.
  func frozenTypes(_ base: StartWeights?) throws -> Named<WeightStorage> {
    guard lora != nil else { return Named() }
    let stored = try base?.storedTypes(of: model) ?? Named()
    return model.weights.filter { !trains($0) }.map { name, spec in
      (baseDType.storage(of: spec) ?? stored[name] ?? .float32).fitting(spec, mesh)
    }
  }

  /// The file of the run for generation: the weights, or only the LoRA matrices; for published networks
  /// the folder of the weights.
  public var result: String { ResultFiles(folder: output).result(of: self) }

  /// The folder in which encoded pictures and prompts are kept.
  ///
  /// - Parameter folder: that of the run.
  func encodingCache(in folder: String) -> String {
    cache ?? "\(folder)/\(EncodingCache.standardName)"
  }

  /// The file of the embedder of target times that was trained in full beside LoRA of a published network,
  /// which its files of LoRA cannot hold; nil without one.
  public var embedderResult: String? {
    guard let lora, model.weights.names.contains(where: { isFullEmbedder($0, lora) }) else {
      return nil
    }
    return ResultFiles(folder: output).targetEmbedder
  }

  private func isFullEmbedder(_ name: String, _ lora: LoRA) -> Bool {
    model.isTargetEmbedder(name) && lora.trains(name)
  }

  /// How the trained network is sampled, for files of LoRA.
  var sampling: SamplingCard {
    let settings = objective.settings
    return SamplingCard(
      anyStep: settings.teachesAnyStep, timeConvention: settings.timeConvention,
      guidance: guidance)
  }

  /// Which checkpoints are kept.
  var retention: CheckpointRetention {
    CheckpointRetention(last: keepLast, every: keepEvery, best: keepBest)
  }

  /// The card of weight files.
  package var card: ModelFile.Card {
    var card = ModelFile.Card(
      model: generatingModel, anyStep: objective.settings.teachesAnyStep, guidance: guidance)
    card.timeConvention = objective.settings.timeConvention
    return card
  }
}
