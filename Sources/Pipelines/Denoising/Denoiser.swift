import Flow
import Runtime
import Synchronization
import Tensors

/// Denoises samples step by step.
///
/// One sampler step is compiled for a shape, with the numbers of the step as arguments: the same
/// program serves any number of steps, any style and any grid. The host loops over the steps, and can
/// observe each step or cancel.
public final class Denoiser: Sendable {
  /// The progress of a run.
  public struct Progress: Sendable {
    /// The number of steps made.
    public let step: Int
    /// The number of steps in the run.
    public let total: Int
    /// The samples predicted by the last step, in f32.
    public let preview: ShardedArray
    /// The noised samples that the next step starts from, in f64.
    package let state: ShardedArray
  }

  /// The shape of a batch of samples.
  package let shape: Shape
  private let network: Network
  private let randomness: Randomness
  private let engine: Engine
  private let guided:
    @Sendable (any VelocityModel, TracedConditions) -> (any VelocityModel, Named<Tensor>)
  private let programs = Mutex<[Variant: CompiledFunction]>([:])

  /// The programs of a denoiser.
  private enum Variant: Hashable {
    /// The initial noise, and the keys of the given number of steps.
    case start(steps: Int)
    /// The state before the first step.
    case state
    /// The state before the first step, from an image.
    case stateFromImage
    /// The state after a step, with the image where the mask keeps it.
    case masked
    /// One step.
    case step(ConditionTypes, corrects: Bool)
  }

  /// Makes a denoiser; programs are compiled on first use.
  ///
  /// - Parameters:
  ///   - shape: the shape of a batch of samples, batch first.
  ///   - guided: the network to evaluate, and its condition, from the bound network and the
  ///     conditions of a run.
  package init(
    _ network: Network, shape: Shape, randomness: Randomness, on engine: Engine,
    guided:
      @escaping @Sendable (any VelocityModel, TracedConditions) -> (
        any VelocityModel, Named<Tensor>
      )
  ) {
    self.network = network
    self.shape = shape
    self.randomness = randomness
    self.engine = engine
    self.guided = guided
  }

  /// The number of programs that have been compiled.
  package var programCount: Int { programs.withLock(\.count) }

  /// The program of the initial noise and the steps' keys.
  package func start(_ steps: Int) throws -> CompiledFunction {
    try program(.start(steps: steps)) { try compileStart(steps) }
  }

  /// The program of one step.
  ///
  /// - Throws: `RuntimeError.outOfMemory` where it does not fit into the devices' memory, and the
  ///   plugin's errors.
  package func step(_ conditions: ConditionTypes, corrects: Bool) throws -> CompiledFunction {
    try program(.step(conditions, corrects: corrects)) {
      try compileStep(conditions, corrects: corrects)
    }
  }

  private func program(
    _ variant: Variant, _ compile: () throws -> CompiledFunction
  ) throws -> CompiledFunction {
    try programs.withLock { programs in
      if let program = programs[variant] { return program }
      let program = try compile()
      programs[variant] = program
      return program
    }
  }

  private func compileStart(_ steps: Int) throws -> CompiledFunction {
    var types = Named([("key", keyType)])
    if randomness == .batch { types["number"] = TensorType([], .uint64) }
    return try engine.compile(types) { [shape, row, randomness] arguments in
      let key = arguments["key"]!
      var results = Named<Tensor>()
      switch randomness {
      case .batch:
        let keys = Key(key).folded(arguments["number"]!).split(2)
        results["noise"] = keys[0].normal(shape)
        for (i, key) in keys[1].split(steps).enumerated() { results["keys.\(i)"] = key.state }
      case .perSample:
        let made = Self.rows(key) { key in
          let keys = key.split(2)
          return [keys[0].normal(row), keys[1].splitStates(steps)]
        }
        results["noise"] = made[0]
        for (i, state) in made[1].unstack(1).enumerated() { results["keys.\(i)"] = state }
      }
      return results
    }
  }

  private var keyType: TensorType {
    randomness == .batch ? Key.type : TensorType([shape[0], 2], .uint64)
  }

  /// What each of some keys gives, `[keys, …]`.
  ///
  /// A loop, because XLA takes minutes to fuse the random numbers of 32 keys side by side for a GPU.
  private static func rows(_ keys: Tensor, _ make: (Key) -> [Tensor]) -> [Tensor] {
    scan([], [keys]) { _, key in ([], make(Key(key[0]))) }.outputs
  }

  /// The shape of one sample.
  private var row: Shape { Shape(Array(shape.sizes.dropFirst())) }

  private func compileStep(_ conditions: ConditionTypes, corrects: Bool) throws -> CompiledFunction
  {
    let states = Named(["x", "data", "noise"].map { ($0, TensorType(shape, .float64)) })
    let scalars = SamplerSettings.euler(1).steps[0].map { _ in TensorType([], .float64) }.named
    let component = network.component
    var arguments = component.types.prefixed("weights")
    arguments.merge(conditions.given.prefixed("given"))
    arguments.merge(conditions.unconditional.prefixed("unconditional"))
    if conditions.isGuided { arguments["guidance"] = TensorType([], .float32) }
    if !conditions.skipped.isEmpty { arguments["skipping"] = TensorType([], .float32) }
    arguments.merge(states.prefixed("state"))
    arguments.merge(scalars.prefixed("step"))
    arguments["key"] = keyType
    return try engine.compile(
      arguments, shardings: component.shardings.prefixed("weights"),
      donating: { $0.hasPrefix("state.") }
    ) { [shape, row, network, randomness, guided] arguments in
      let traced = TracedConditions(
        given: arguments.group("given"),
        guidance: arguments["guidance"].map { (arguments.group("unconditional"), $0) },
        skipping: arguments["skipping"].map { (conditions.skipped, $0) })
      let (model, condition) = guided(
        ShardedModel(model: network.bound(arguments.group("weights")), compute: network.compute),
        traced)
      let key = arguments["key"]!
      let fresh =
        switch randomness {
        case .batch: Key(key).normal(shape, .float64)
        case .perSample: Self.rows(key) { [$0.normal(row, .float64)] }[0]
        }
      let state = arguments.group("state")
      let next = Sampler.advance(
        Sampler.State(x: state["x"]!, data: state["data"]!, noise: state["noise"]!),
        SamplerSettings.Step(arguments.group("step")), corrects: corrects, noise: fresh, model,
        .float32, condition)
      let samples = next.data.cast(to: .float32)
      return Named([
        ("state.x", next.x), ("state.data", next.data), ("state.noise", next.noise),
        ("samples", samples),
        ("finite", samples.abs().less(.infinity).all().cast(to: .int32)),
      ])
    }
  }

  /// The initial noise and the keys of the steps, see `Randomness`.
  package func noise(_ source: Named<ShardedArray>, steps: Int) throws -> Named<ShardedArray> {
    try start(steps)(source)
  }

  /// Denoises one batch.
  ///
  /// - Parameters:
  ///   - noise: standard normal noise of the batch's shape, f32, and the steps' keys.
  ///   - source: the image to start from, nil for noise alone; times are scaled to its strength.
  ///   - noiseScale: the factor of the noise where there is no image.
  ///   - isGuided: whether a step is guided, by its number; asked only where conditions are.
  ///   - observer: called after every step; an error that it throws cancels the run and is
  ///     rethrown. Without an observer the host does not wait between steps.
  /// - Returns: the samples in f32, and whether all of them are finite.
  /// - Throws: `RuntimeError.outOfMemory`, and the plugin's errors.
  package func callAsFunction(
    _ start: Named<ShardedArray>, _ steps: [SamplerSettings.Step<Double>],
    _ conditions: Conditions, from source: Source? = nil, noiseScale: Double = 1,
    isGuided: (Int) -> Bool = { _ in true }, observer: ((Progress) throws -> Void)? = nil
  ) throws -> (samples: ShardedArray, areFinite: Bool) {
    precondition(!steps.isEmpty, "a run has no steps")
    let steps = source.map { source in steps.map { $0.scaled(by: source.strength) } } ?? steps
    var state = try initialState(start["noise"]!, source, scale: noiseScale)
    var arguments = try network.component.load().prefixed("weights")
    arguments.merge(conditions.given.prefixed("given"))
    arguments.merge(conditions.unconditional.prefixed("unconditional"))
    if let scale = conditions.scale { arguments["guidance"] = scale }
    let types = conditions.types
    let corrects = steps.contains { $0.correct > 0 }
    var last: (results: Named<ShardedArray>, completion: Completion, step: CompiledFunction)!
    for (i, numbers) in steps.enumerated() {
      let skips = types.isGuided && isGuided(i) && conditions.skips(i, of: steps.count)
      let step = try step(
        skips
          ? types.skipping(Set(conditions.skipping!.rule.layers))
          : types.isGuided && isGuided(i) ? types : types.unguided, corrects: corrects)
      var given = arguments.merging(state)
      if skips { given["skipping"] = conditions.skipping!.scale }
      given.merge(
        try numbers.map { try engine.array([$0], shape: []) }.named.prefixed("step"))
      given["key"] = start["keys.\(i)"]
      let (results, completion) = try RuntimeError.reportingMemory(of: step) {
        try step.start(given)
      }
      state = results.filter { $0.hasPrefix("state.") }
      if let source, let mask = source.mask, numbers.next > 0 {
        state["state.x"] = try masked(
          state["state.x"]!, start["noise"]!, source.latents, mask, time: numbers.next)
      }
      last = (results, completion, step)
      if let observer {
        try completion.wait()
        try observer(
          Progress(
            step: i + 1, total: steps.count, preview: results["samples"]!,
            state: state["state.x"]!))
      }
    }
    try RuntimeError.reportingMemory(of: last.step) { try last.completion.wait() }
    return (
      last.results["samples"]!, try last.results["finite"]!.array(of: Int32.self)[0] == 1
    )
  }

  /// The state before the first step: `t·z + (1 − t)·x` for the noise z and an image x.
  private func initialState(
    _ noise: ShardedArray, _ source: Source?, scale: Double
  ) throws -> Named<ShardedArray> {
    func named(_ state: Sampler.State) -> Named<Tensor> {
      Named([("state.x", state.x), ("state.data", state.data), ("state.noise", state.noise)])
    }
    guard let source else {
      let arguments = Named([("noise", noise), ("scale", try engine.array([scale], shape: []))])
      return try program(.state) {
        try engine.compile(arguments.types) { arguments in
          var state = Sampler.State(noise: arguments["noise"]!)
          state.x = state.x * arguments["scale"]!
          return named(state)
        }
      }(arguments)
    }
    let arguments = Named([
      ("noise", noise), ("latents", source.latents),
      ("time", try engine.array([source.strength], shape: [])),
    ])
    return try program(.stateFromImage) {
      try engine.compile(arguments.types) { arguments in
        var state = Sampler.State(noise: arguments["noise"]!)
        state.x = Self.noised(arguments, time: arguments["time"]!)
        return named(state)
      }
    }(arguments)
  }

  /// The image of `latents` with `noise` at a time, in f64.
  private static func noised(_ arguments: Named<Tensor>, time: Tensor) -> Tensor {
    let noise = arguments["noise"]!.cast(to: .float64)
    let image = arguments["latents"]!.cast(to: .float64).broadcast(to: noise.shape)
    return time * noise + (1 - time) * image
  }

  /// Samples at a time, with the image and the noise of the start where the mask is 0.
  private func masked(
    _ x: ShardedArray, _ noise: ShardedArray, _ latents: ShardedArray, _ mask: ShardedArray,
    time: Double
  ) throws -> ShardedArray {
    let arguments = Named([
      ("x", x), ("noise", noise), ("latents", latents), ("mask", mask),
      ("time", try engine.array([time], shape: [])),
    ])
    return try program(.masked) {
      try engine.compile(arguments.types, donating: { $0 == "x" }) { arguments in
        let x = arguments["x"]!
        let mask = arguments["mask"]!.cast(to: .float64).broadcast(to: x.shape)
        let kept = Self.noised(arguments, time: arguments["time"]!)
        return Named([("x", mask * x + (1 - mask) * kept)])
      }
    }(arguments)["x"]!
  }
}
