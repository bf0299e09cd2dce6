import Flow
import Models
import Runtime
import Synchronization
import Tensors

/// Generates samples from noise with a trained network.
///
/// One sampler step is compiled for a batch and a size, with the numbers of the step as arguments:
/// the same program serves any number of steps, any style and any grid. The host loops over the
/// steps, and can observe each step or cancel.
public final class Generator: Sendable {
  /// The number of samples per run.
  public let batch: Int
  /// The size of images, nil for the network's default.
  public let size: ImageSize?

  private let file: ModelFile
  private let engine: Engine
  private let compute: DType
  private let programs = Mutex<[Variant: CompiledFunction]>([:])

  /// The programs of a generator.
  private enum Variant: Hashable {
    /// The initial noise, and the keys of the given number of steps.
    case start(steps: Int)
    /// One step.
    case step(isGuided: Bool, corrects: Bool)
  }

  /// The progress of a run.
  public struct Progress: Sendable {
    /// The number of steps made.
    public let step: Int
    /// The number of steps in the run.
    public let total: Int
    /// The samples predicted by the last step, in f32.
    public let preview: ShardedArray
  }

  /// Makes a generator; programs are compiled on first use.
  ///
  /// - Parameters:
  ///   - batch: the number of samples per run.
  ///   - size: the size of images, nil for the network's default.
  ///   - compute: the element type that the network computes in.
  /// - Throws: `PipelineError.notGenerative` for a network that predicts no velocity.
  public init(
    _ file: ModelFile, batch: Int, size: ImageSize? = nil, compute: DType = .float32,
    on engine: Engine
  ) throws {
    guard file.model.isGenerative else { throw PipelineError.notGenerative(path: file.path) }
    self.file = file
    self.batch = batch
    self.size = size
    self.compute = compute
    self.engine = engine
  }

  private var shape: Shape { Shape([batch] + file.model.sampleShape(size).sizes) }

  /// Compiles the programs for given settings, or reuses those of earlier runs.
  ///
  /// - Throws: `RuntimeError.outOfMemory` where the programs do not fit into the devices' memory,
  ///   and the plugin's errors.
  public func prepare(_ settings: SamplerSettings, guidance: Double = 0) throws {
    _ = try program(.start(steps: settings.steps.count))
    _ = try step(settings, guidance)
  }

  /// The number of programs that have been compiled.
  var programCount: Int { programs.withLock(\.count) }

  private func step(_ settings: SamplerSettings, _ guidance: Double) throws -> CompiledFunction {
    try program(.step(isGuided: guidance != 0, corrects: settings.order == 2))
  }

  private func program(_ variant: Variant) throws -> CompiledFunction {
    try programs.withLock { programs in
      if let program = programs[variant] { return program }
      let program =
        switch variant {
        case .start(let steps): try start(steps)
        case .step(let isGuided, let corrects): try step(isGuided: isGuided, corrects: corrects)
        }
      programs[variant] = program
      return program
    }
  }

  /// The program of the initial noise, the state before the first step and the steps' keys.
  private func start(_ steps: Int) throws -> CompiledFunction {
    let types = Named([("key", Key.type), ("number", TensorType([], .uint64))])
    return try engine.compile(types) { [shape] arguments in
      let keys = Key(arguments["key"]!).folded(arguments["number"]!).split(2)
      let noise = keys[0].normal(shape)
      let state = Sampler.State(noise: noise)
      var results = Named([
        ("noise", noise), ("state.x", state.x), ("state.data", state.data),
        ("state.noise", state.noise),
      ])
      for (i, key) in keys[1].split(steps).enumerated() { results["keys.\(i)"] = key.state }
      return results
    }
  }

  /// The program of one step.
  private func step(isGuided: Bool, corrects: Bool) throws -> CompiledFunction {
    let (model, convention, conditioner) = (
      file.model, file.card.timeConvention, file.model.conditioner
    )
    let states = Named(["x", "data", "noise"].map { ($0, TensorType(shape, .float64)) })
    let scalars = SamplerSettings.euler(1).steps[0].map { _ in TensorType([], .float64) }.named
    let weights = try file.component.load()
    var arguments = weights.types.prefixed("weights")
    arguments.merge(Named(conditioner.inputs.map { ($0.name, $0.type(batch: batch)) }))
    arguments.merge(states.prefixed("state"))
    arguments.merge(scalars.prefixed("step"))
    arguments["key"] = Key.type
    if isGuided { arguments["guidance"] = TensorType([], .float32) }
    return try engine.compile(
      arguments, shardings: weights.shardings.prefixed("weights"),
      donating: { $0.hasPrefix("state.") }
    ) { [shape, compute] arguments in
      let given = arguments.filter { name in conditioner.inputs.contains { $0.name == name } }
      var network: any VelocityModel = ShardedModel(
        model: model.velocityModel(arguments.group("weights"))!, compute: compute)
      network = convention.applied(to: network)
      if let scale = arguments["guidance"] {
        network = GuidedModel(
          network, unconditional: conditioner.unconditional(given), scale: scale)
      }
      let state = arguments.group("state")
      let next = Sampler.advance(
        Sampler.State(x: state["x"]!, data: state["data"]!, noise: state["noise"]!),
        SamplerSettings.Step(arguments.group("step")), corrects: corrects,
        noise: Key(arguments["key"]!).normal(shape, .float64), network, .float32,
        conditioner(given))
      let samples = next.data.cast(to: .float32)
      return Named([
        ("state.x", next.x), ("state.data", next.data), ("state.noise", next.noise),
        ("samples", samples),
        ("finite", samples.abs().less(.infinity).all().cast(to: .int32)),
      ])
    }
  }

  /// The initial noise of a run, `[batch, …]`.
  ///
  /// - Parameter number: the number of the run with this seed.
  public func noise(seed: UInt64, number: Int = 0) throws -> ShardedArray {
    try program(.start(steps: 1))(source(seed, number))["noise"]!
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
    let conditions = try file.model.conditioner.prepare(prompts)
    let step = try step(settings, guidance)
    let start = try program(.start(steps: steps.count))(source(seed, number))
    var state = start.filter { $0.hasPrefix("state.") }
    var arguments = try file.component.load().prefixed("weights")
    for (name, array) in conditions.pairs { arguments[name] = try engine.array(array) }
    if guidance != 0 {
      arguments["guidance"] = try engine.array([Float(guidance)], shape: [])
    }
    var last: (results: Named<ShardedArray>, completion: Completion)?
    for (i, numbers) in steps.enumerated() {
      var given = arguments.merging(state)
      given.merge(
        try numbers.map { try engine.array([$0], shape: []) }.named.prefixed("step"))
      given["key"] = start["keys.\(i)"]
      let (results, completion) = try RuntimeError.reportingMemory(of: step) {
        try step.start(given)
      }
      state = results.filter { $0.hasPrefix("state.") }
      last = (results, completion)
      if let observer {
        try completion.wait()
        try observer(
          Progress(step: i + 1, total: steps.count, preview: results["samples"]!))
      }
    }
    guard let last else { preconditionFailure("a run has no steps") }
    try RuntimeError.reportingMemory(of: step) { try last.completion.wait() }
    guard try last.results["finite"]!.array(of: Int32.self)[0] == 1 else {
      throw PipelineError.imagesNotFinite(path: file.path, guidance: guidance)
    }
    return last.results["samples"]!
  }
}
