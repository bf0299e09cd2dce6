import Flow
import Optimizers
import Tensors

/// The training steps of a case: the target network's average, the loss, its gradients and the
/// update.
struct GoldenSteps {
  /// What is trained, from where, and how.
  struct Setup {
    /// The trained weights at the start.
    var weights: Named<HostArray>
    /// Their average at the start.
    var average: Named<HostArray>
    /// The other weights.
    var frozen = Named<HostArray>()
    /// The EMA decay of the target network.
    var targetEMADecay: Double
    /// The optimizer.
    var optimizer: any Optimizer
    /// The learning rate.
    var learningRate: Double
    /// The limit of the gradients' norm, nil for none.
    var maxGradNorm: Double?
    /// Binds trained and frozen weights to a network.
    var network: (_ trained: Named<Tensor>, _ frozen: Named<Tensor>) -> any VelocityModel
    /// Binds the frozen weights to the initial network, where that is not the network with the
    /// initial average.
    var initialNetwork: ((_ frozen: Named<Tensor>) -> any VelocityModel)?

    /// Whether the target network is an average.
    var averages: Bool { targetEMADecay > 0 && targetEMADecay < 1 }
  }

  private let program: HostProgram
  private let frozen: Named<HostArray>
  private var state: Named<HostArray>
  private var count = 0

  /// Compiles the step.
  ///
  /// - Parameters:
  ///   - batch: the inputs of a step.
  ///   - loss: the loss of networks on the inputs of a step.
  init(
    _ setup: Setup, batch: Named<HostArray>, on client: Client,
    _ loss: (Networks, Named<Tensor>) -> Loss
  ) throws {
    let specs = setup.weights.mapValues { ArraySpec($0.type) }
    let moments = setup.optimizer.state(for: specs).mapValues { spec in
      HostArray([Float](repeating: 0, count: spec.type.shape.count), spec.type.shape.sizes)
    }
    frozen = setup.frozen.prefixed("frozen")
    state = setup.weights.prefixed("weights").merging(setup.average.prefixed("average"))
      .merging(moments.prefixed("moments"))
    state["decay"] = HostArray([0], [])
    var given = state.merging(frozen).merging(batch)
    given["step"] = HostArray([0], [])
    program = try HostProgram(given, on: client) { Self.step(setup, $0, loss) }
  }

  /// The graph of a step.
  private static func step(
    _ setup: Setup, _ given: Named<Tensor>, _ loss: (Networks, Named<Tensor>) -> Loss
  ) -> Named<Tensor> {
    let (weights, frozen) = (given.group("weights"), given.group("frozen"))
    var (average, decay) = (given.group("average"), given["decay"]!)
    if case .average(let final) = TargetNetwork(emaDecay: setup.targetEMADecay) {
      let next = RampedAverage(weights: average, decay: decay)
        .updated(with: weights, decay: final)
      (average, decay) = (next.weights, next.decay)
    }
    let live = setup.network(weights, frozen)
    let target =
      switch (setup.targetEMADecay, setup.initialNetwork) {
      case (0, _): live
      case (1, let initial?): initial(frozen)
      default: setup.network(average.stopGradient(), frozen)
      }
    let loss = loss(Networks(live: live, target: target), given)
    let gradients = loss.total.gradients(for: weights)
    let (clipped, norm) =
      setup.maxGradNorm.map { gradients.clipped(toNorm: $0) }
      ?? (gradients, gradients.globalNorm())
    let next = setup.optimizer.update(
      weights, clipped, given.group("moments"),
      learningRate: .constant(setup.learningRate, .float32), step: given["step"]!)
    var results = loss.details.prefixed("details")
    results["loss"] = loss.total
    results["gradient_norm"] = norm
    results.merge(gradients.prefixed("gradients"))
    results.merge(next.weights.prefixed("weights"))
    results.merge(next.state.prefixed("moments"))
    results.merge(average.prefixed("average"))
    results["decay"] = decay
    return results
  }

  /// Runs a step and keeps its weights, moments and average for the next one.
  mutating func callAsFunction(_ batch: Named<HostArray>) throws -> Named<HostArray> {
    var given = state.merging(frozen).merging(batch)
    given["step"] = HostArray([Float(count)], [])
    let results = try program(given)
    for name in state.names { state[name] = results[name] }
    count += 1
    return results
  }
}
