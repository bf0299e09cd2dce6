import Flow
import Models
import Runtime
import Tensors

/// Generates samples from noise with a trained network.
public final class Generator: Sendable {
  /// The number of samples per run.
  public let batch: Int
  /// The size of images, nil for the network's default.
  public let size: ImageSize?

  private let file: ModelFile
  private let engine: Engine
  private let denoiser: Denoiser

  /// The progress of a run.
  public typealias Progress = Denoiser.Progress

  /// Makes a generator; programs are compiled on first use.
  ///
  /// - Parameters:
  ///   - batch: the number of samples per run.
  ///   - size: the size of images, nil for the network's default.
  ///   - compute: the element type that the network computes in.
  /// - Throws: `PipelineError.notGenerative` for a network that predicts no velocity, `takesText` for one
  ///   that needs a model's text encoder.
  public init(
    _ file: ModelFile, batch: Int, size: ImageSize? = nil, compute: DType = .float32,
    on engine: Engine
  ) throws {
    guard file.model.isGenerative else { throw PipelineError.notGenerative(path: file.path) }
    guard file.model.text == nil else { throw PipelineError.takesText(path: file.path) }
    self.file = file
    self.batch = batch
    self.size = size
    self.engine = engine
    let (model, convention) = (file.model, file.card.timeConvention)
    denoiser = Denoiser(
      Denoiser.Network(file.component, compute: compute) { model.velocityModel($0)! },
      shape: Shape([batch] + model.sampleShape(size).sizes), randomness: .batch, on: engine
    ) { network, conditions in
      let conditioner = model.conditioner
      var network = convention.applied(to: network)
      if let (_, scale) = conditions.guidance {
        network = GuidedModel(
          network, unconditional: conditioner.unconditional(conditions.given), scale: scale)
      }
      return (network, conditioner(conditions.given))
    }
  }

  /// Compiles the programs for given settings, or reuses those of earlier runs.
  ///
  /// - Throws: `RuntimeError.outOfMemory` where the programs do not fit into the devices' memory,
  ///   and the plugin's errors.
  public func prepare(_ settings: SamplerSettings, guidance: Double = 0) throws {
    _ = try denoiser.start(settings.steps.count)
    let inputs = file.model.conditioner.inputs
    _ = try denoiser.step(
      Denoiser.ConditionTypes(
        given: Named(inputs.map { ($0.name, $0.type(batch: batch)) }), isGuided: guidance != 0),
      corrects: settings.order == 2)
  }

  /// The number of programs that have been compiled.
  var programCount: Int { denoiser.programCount }

  /// The initial noise of a run, `[batch, …]`.
  ///
  /// - Parameter number: the number of the run with this seed.
  public func noise(seed: UInt64, number: Int = 0) throws -> ShardedArray {
    try denoiser.noise(source(seed, number), steps: 1)["noise"]!
  }

  private func source(_ seed: UInt64, _ number: Int) throws -> Named<ShardedArray> {
    Named([
      ("key", try engine.array([seed, 0], shape: [2])),
      ("number", try engine.array([UInt64(number)], shape: [])),
    ])
  }

  /// Generates one batch.
  ///
  /// - Parameters:
  ///   - prompts: one prompt per sample.
  ///   - guidance: the scale of classifier-free guidance, 0 for none; each step takes two evaluations
  ///     with it.
  ///   - seed: the same seed and number give the same samples.
  ///   - number: the number of the run with this seed.
  ///   - observer: called after every step; an error that it throws cancels the run and is
  ///     rethrown. Without an observer the host does not wait between steps.
  /// - Returns: samples `[batch, …]` in f32, all finite; pixels are within about ±1.
  /// - Throws: `PipelineError` for a prompt that the network does not support,
  ///   `imagesNotFinite`, and the plugin's errors.
  public func callAsFunction(
    _ prompts: [Prompt], _ settings: SamplerSettings, guidance: Double = 0, seed: UInt64,
    number: Int = 0, observer: ((Progress) throws -> Void)? = nil
  ) throws -> ShardedArray {
    precondition(
      prompts.count == batch, "\(prompts.count) prompts are given for a batch of \(batch)")
    let steps = settings.steps
    let given = try file.model.conditioner.prepare(prompts).mapValues { try engine.array($0) }
    var conditions = Denoiser.Conditions(given)
    if guidance != 0 {
      conditions = Denoiser.Conditions(
        given, unconditional: Named(), scale: try engine.array([Float(guidance)], shape: []))
    }
    let start = try denoiser.noise(source(seed, number), steps: steps.count)
    let (samples, areFinite) = try denoiser(start, steps, conditions, observer: observer)
    guard areFinite else {
      throw PipelineError.imagesNotFinite(path: file.path, guidance: guidance)
    }
    return samples
  }
}
