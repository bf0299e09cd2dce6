import Flow
import Optimizers
import Tensors

extension GoldenCase {
  /// The training steps of a case, one after the other, by gradient descent.
  struct Steps {
    private let golden: GoldenCase
    private let program: HostProgram
    private var state = Named<HostArray>()
    private let frozen: Named<HostArray>
    let averages: Bool

    /// Compiles the step: the target network's average, the loss, its gradients, the update.
    init(
      _ golden: GoldenCase, averageRate rate: Double, on client: Client,
      _ loss: (Networks, Samples, Named<Tensor>) -> Loss
    ) throws {
      self.golden = golden
      averages = rate > 0 && rate < 1
      let (weights, average) = golden.trainable
      frozen = golden.kind == .lora ? golden.inputs.group("model.base").prefixed("frozen") : Named()
      state.merge(weights.prefixed("weights"))
      state.merge(average.prefixed("average"))
      state["decay"] = HostArray([0], [])
      let step = golden.config.learningRate ?? 0.1
      let bind = golden.binding
      let given = state.merging(frozen).merging(golden.batch(0))
      program = try HostProgram(given, on: client) { given in
        let weights = given.group("weights")
        var (average, decay) = (given.group("average"), given["decay"]!)
        if rate > 0, rate < 1 {
          average = average.averaged(with: weights, rate: decay)
          decay = decay + (1 - decay) * (rate - decay) * 0.5
        }
        let frozen = given.group("frozen")
        let live = bind(weights, frozen)
        let target =
          switch rate {
          case 0: live
          // The initial network: adapters that are switched off, or the weights before training.
          case 1 where golden.kind == .lora: Perceptron(frozen, takesTarget: false)
          default: bind(average.stopGradient(), frozen)
          }
        let loss = loss(
          Networks(live: live, target: target),
          Samples(
            data: given["x"]!, condition: Named([("c", given["c0"]!)]),
            unconditional: Named([("c", (given["e0"] ?? given["c0"])!)])),
          given.group("draw"))
        let gradients = loss.total.gradients(for: weights)
        let next = SGD().update(
          weights, gradients, Named(), rate: .constant(step, .float32),
          step: .constant(0, .float32))
        var results = loss.details.prefixed("details")
        results["loss"] = loss.total
        results.merge(gradients.prefixed("gradients"))
        results.merge(next.weights.prefixed("weights"))
        results.merge(average.prefixed("average"))
        results["decay"] = decay
        return results
      }
    }

    /// Runs a step and keeps its weights and average for the next one.
    mutating func callAsFunction(_ step: Int) throws -> Named<HostArray> {
      let results = try program(state.merging(frozen).merging(golden.batch(step)))
      for name in state.names { state[name] = results[name] }
      return results
    }
  }

  /// The weights that are trained and their average at the start.
  private var trainable: (weights: Named<HostArray>, average: Named<HostArray>) {
    guard kind == .lora else {
      let weights = inputs.group("model")
      let average = inputs.group("ema")
      return (weights, average.isEmpty ? weights : average)
    }
    let adapters = inputs.group("model.lora")
    func part(_ suffix: String) -> Named<HostArray> {
      Named(
        adapters.names.filter { $0.hasSuffix(suffix) }
          .map { (String($0.dropLast(suffix.count)), adapters[$0]!) })
    }
    return (part("_default"), part("_old"))
  }

  /// How weights become a network.
  private var binding: (Named<Tensor>, Named<Tensor>) -> any VelocityModel {
    guard kind == .lora else { return { weights, _ in Perceptron(weights) } }
    let scale = (config.model.lora_alpha ?? 1) / Double(config.model.lora_r ?? 1)
    return { weights, frozen in
      Perceptron(frozen.adapted(by: weights, scale: scale), takesTarget: false)
    }
  }

  /// A step's samples and draws; a network without a condition gets 0, as published.
  private func batch(_ step: Int) -> Named<HostArray> {
    let times: Set = ["t_beta", "tt_rand", "tmin_rand", "dm_t_beta", "t_rand", "dm_t_rand"]
    var batch = inputs.group("step\(step)").map { name, value in
      times.contains(String(name.dropFirst("draw.".count))) ? value.flat : value
    }
    if batch["c0"] == nil, let rows = batch["x"]?.shape.first {
      batch["c0"] = HostArray([Float](repeating: 0, count: rows), [rows, 1])
    }
    return batch
  }

  /// Throws if a step lacks samples or draws.
  private func require(_ names: [String]) throws {
    for step in 0..<(config.steps ?? 1) {
      for name in names where inputs["step\(step).\(name)"] == nil {
        throw fail("its inputs.safetensors has no step\(step).\(name)")
      }
    }
  }

  /// The comparisons of one step: what is asked for where the case has it.
  struct StepComparisons {
    let golden: GoldenCase
    let step: Int
    let results: Named<HostArray>
    private(set) var list: [Comparison] = []

    init(_ golden: GoldenCase, _ step: Int, _ results: Named<HostArray>) {
      (self.golden, self.step, self.results) = (golden, step, results)
    }

    /// Compares an output with the published one, in some of its rows.
    mutating func compare(
      _ name: String, _ actual: HostArray?, rows: [Range<Int>]? = nil, relative: Double = 1e-5
    ) {
      let name = "step\(step).\(name)"
      guard var wanted = golden.expected[name], var actual else { return }
      if let rows { (actual, wanted) = (actual.rows(rows), wanted.rows(rows)) }
      list.append(
        Comparison(
          name, actual, wanted, absolute: 10 * (golden.config.noiseFloors?[name] ?? 0),
          relative: relative))
    }

    /// Compares what all methods have: the loss, gradients, new weights, the average, its decay.
    mutating func compareUpdate(averaged: Bool) {
      compare("loss", results["loss"])
      let isLora = golden.kind == .lora
      for (name, gradient) in results.group("gradients").pairs {
        let published = isLora ? "lora.\(name)_default" : name
        compare("grad.\(published)", gradient, relative: 2e-4)
        compare("model_after.\(published)", results["weights.\(name)"])
        if averaged {
          compare(
            "ema_after.\(isLora ? "lora.\(name)_old" : name)", results["average.\(name)"])
        }
      }
      if averaged { compare("ema_decay_after", results["decay"]) }
    }
  }

  func checkMethod(on client: Client) throws -> [Comparison] {
    guard let method = config.method else { throw fail("its config.json has no method") }
    var settings = method.settings
    settings.timeConvention = kind == .lora ? .middle : .pair
    let rows = { (group: String) in
      Int(expected["step0.mask.\(group)"]?.values.reduce(0, +) ?? 0)
    }
    let partition = Partition(
      endToEnd: rows("e2e"), multiStep: rows("mul"), anyStep: rows("any"),
      adversarial: rows("adv"), toData: rows("one"))
    guard partition.batch == inputs["step0.x"]?.shape.first else {
      throw fail("its masks are of \(partition.batch) rows")
    }
    var needed = ["x", "draw.t_beta", "draw.tt_rand", "draw.tmin_rand", "draw.z"]
    if partition.adversarial > 0 { needed.append("draw.adv_noise") }
    if settings.consistencyRatio == 1, partition.endToEnd > 0 {
      needed += ["draw.dm_z", "draw.dm_t_beta"]
    }
    if settings.dataFree { needed.append("draw.imagefree_noise") }
    try require(needed)
    let objective = TwinFlow(settings, partition: partition)
    var steps = try Steps(self, averageRate: settings.averageRate, on: client) {
      networks, batch, draws in
      let none = { (like: String) in draws[like] ?? .zeros([0], .float32) }
      return objective(
        networks, batch,
        Draws(
          time: draws["t_beta"]!, target: draws["tt_rand"]!, near: draws["tmin_rand"]!,
          fakeNoise: none("adv_noise"), noise: draws["z"]!, rectificationNoise: none("dm_z"),
          rectificationTime: none("dm_t_beta"), dataNoise: none("imagefree_noise")))
    }
    return try (0..<(config.steps ?? 1)).flatMap { i in
      let results = try steps(i)
      var step = StepComparisons(self, i, results)
      let details = results.group("details")
      for (name, detail, relative) in [
        ("x_t", "x_t", 1e-5), ("t", "t", 1e-5), ("tt", "tt", 1e-5),
        ("x_after_adv_replacement", "data", 1e-5), ("target_flow", "flow", 1e-5),
        ("loss0.pred", "velocity", 1e-5), ("loss0.target", "regression", 2e-4),
        ("loss0.per_sample", "per_sample", 2e-4), ("weighting", "weights", 1e-5),
        ("dm.F_grad", "difference", 1e-5), ("loss1.per_sample", "rectification", 1e-5),
      ] {
        step.compare(name, details[detail], relative: relative)
      }
      // Targets of adversarial rows are not used, and kept as 0.
      let real = partition.realRanges()
      step.compare("rcgm0.target_in", details["enhanced"], rows: real)
      step.compare("rcgm0.target_out", details["regression"], rows: real, relative: 2e-4)
      if let velocity = details["velocity"]?.rows([partition.endToEndRows]) {
        step.compare("loss1.pred", velocity)
        if let difference = details["difference"] {
          let target = zip(velocity.values, difference.values).map { $0 - $1 }
          step.compare("loss1.target", HostArray(target, velocity.shape))
        }
      }
      step.compareUpdate(averaged: steps.averages)
      return step.list
    }
  }

  func checkTutorial(on client: Client) throws -> [Comparison] {
    guard let method = config.method else { throw fail("its config.json has no method") }
    var settings = TutorialSettings()
    settings.order = method.estimateOrder
    settings.enhancedRatio = method.enhancedRatio
    settings.averageRate = method.averageRate
    settings.twin = method.twin
    let twin = settings.twin ? ["draw.dm_z", "draw.dm_t_rand"] : []
    try require(["x", "draw.t_rand", "draw.tt_rand", "draw.z"] + twin)
    let objective = TutorialTwinFlow(settings)
    var steps = try Steps(self, averageRate: settings.averageRate, on: client) {
      networks, batch, draws in
      let noise = draws["z"]!
      return objective(
        networks, batch,
        TutorialTwinFlow.Draws(
          time: draws["t_rand"]!, target: draws["tt_rand"]!, noise: noise,
          rectificationNoise: draws["dm_z"] ?? noise,
          rectificationTime: draws["dm_t_rand"] ?? draws["t_rand"]!))
    }
    return try (0..<(config.steps ?? 1)).flatMap { i in
      let results = try steps(i)
      var step = StepComparisons(self, i, results)
      let details = results.group("details")
      for (name, detail, relative) in [
        ("x_t", "x_t", 1e-5), ("t", "t", 1e-5), ("tt", "tt", 1e-5), ("target_flow", "flow", 1e-5),
        ("rcgm0.target_in", "enhanced", 1e-5), ("rcgm0.target_out", "regression", 2e-4),
        ("loss0.pred", "velocity", 1e-5), ("loss0.target", "regression", 2e-4),
        ("loss0.per_sample", "per_sample.any_step", 2e-4),
        ("loss1.pred", "velocity.multi_step", 1e-5), ("loss1.target", "enhanced", 1e-5),
        ("loss1.per_sample", "per_sample.multi_step", 1e-5),
        ("loss2.pred", "velocity.adversarial", 1e-5), ("loss2.target", "flow.adversarial", 1e-5),
        ("loss2.per_sample", "per_sample.adversarial", 1e-5), ("dm.F_grad", "difference", 1e-5),
        ("loss3.pred", "velocity.end_to_end", 1e-5), ("loss3.target", "rectified", 1e-5),
        ("loss3.per_sample", "per_sample.rectification", 1e-5),
        ("rcgm1.target_in", "enhanced", 1e-5), ("rcgm1.target_out", "end_to_end", 2e-4),
        ("loss4.pred", "velocity.end_to_end", 1e-5), ("loss4.target", "end_to_end", 2e-4),
        ("loss4.per_sample", "per_sample.end_to_end", 2e-4),
      ] {
        step.compare(name, details[detail], relative: relative)
      }
      step.compareUpdate(averaged: steps.averages)
      return step.list
    }
  }
}
