import Flow
import Runtime
import Tensors

/// The sampler as used for generation: one compiled step that the host repeats for any settings.
struct CompiledSamplerStep {
  private let function: CompiledFunction
  private let constants: Named<ShardedArray>
  private let noise: HostArray
  private let fresh: HostArray?
  private let client: Client

  /// Compiles the step of a case's network.
  ///
  /// - Parameters:
  ///   - corrects: whether a second evaluation corrects the first.
  ///   - network: makes the network of the case's inputs.
  init(
    _ inputs: Named<HostArray>, corrects: Bool, on client: Client,
    network: @escaping (Named<Tensor>) -> any VelocityModel
  ) throws {
    self.client = client
    noise = inputs["z0"]!
    fresh = inputs["noise"]
    let shape = Shape(noise.shape)
    constants = try inputs.filter { $0 != "z0" && $0 != "noise" }.map { _, array in
      try ShardedArray(array.values, shape: Shape(array.shape), on: client)
    }
    var arguments = constants.types.prefixed("inputs")
    for name in ["state.x", "state.data", "state.noise", "fresh"] {
      arguments[name] = TensorType(shape, .float64)
    }
    let scalars = SamplerSettings.euler(1).steps[0].named.names
    for name in scalars { arguments["step.\(name)"] = TensorType([], .float64) }
    function = try CompiledFunction(client, arguments) { arguments in
      let inputs = arguments.group("inputs")
      let state = arguments.group("state")
      let next = Sampler.advance(
        Sampler.State(x: state["x"]!, data: state["data"]!, noise: state["noise"]!),
        SamplerSettings.Step(arguments.group("step")), corrects: corrects,
        noise: arguments["fresh"]!, network(inputs), .float32,
        Named([("c", inputs["c0"] ?? .zeros([shape[0], 1], .float32))]))
      return Named([
        ("state.x", next.x), ("state.data", next.data), ("state.noise", next.noise),
      ])
    }
  }

  /// The data predicted in each step of a run, `[steps, batch, …]`.
  func samples(_ settings: SamplerSettings) throws -> HostArray {
    func array(_ values: [Double]) throws -> ShardedArray {
      try ShardedArray(values, shape: Shape(noise.shape), on: client)
    }
    let zeros = [Double](repeating: 0, count: noise.values.count)
    var state = Named([
      ("state.x", try array(noise.values.map(Double.init))), ("state.data", try array(zeros)),
      ("state.noise", try array(zeros)),
    ])
    var all: [Float] = []
    let steps = settings.steps
    for (i, step) in steps.enumerated() {
      var given = constants.prefixed("inputs").merging(state)
      given.merge(
        try step.named.map { _, number in try ShardedArray([number], shape: [], on: client) }
          .prefixed("step"))
      // The case has no noise for steps that do not use it.
      let drawn = fresh.flatMap { i < $0.rowCount ? $0.row(i).values.map(Double.init) : nil }
      given["fresh"] = try array(drawn ?? zeros)
      state = try function(given)
      all += try state["state.data"]!.array(of: Double.self).map(Float.init)
    }
    return HostArray(all, [steps.count] + noise.shape)
  }
}
