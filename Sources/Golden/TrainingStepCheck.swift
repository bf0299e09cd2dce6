import Flow
import Layers
import Models
import Optimizers
import Tensors
import Weights

/// The training of published networks: the objective of `MethodCheck` on transformers.
extension GoldenCase {
  /// The settings of a case of training steps.
  struct TrainingSettings: Decodable {
    let optimizer: Optimizer
    let lora: Factors?
    /// Weights whose gradient is 0 but for rounding.
    let weights_with_noise_gradient: [String]?

    struct Optimizer: Decodable {
      let optimizer: String
      let lr: Double
      let betas: [Double]
      let weight_decay: Double
      let eps: Double
      let max_grad_norm: Double
    }

    struct Factors: Decodable {
      let rank: Int
      let alpha: Double
      let target_modules: [String]
    }
  }

  /// A network that is trained on latents.
  struct TrainedNetwork {
    /// The names of its parameters on disk.
    let names: NameMap
    /// The channels of latents.
    let channels: Int
    /// The number that divides height and width of latents.
    let multiple: Int
    /// The names of its conditions, which are stored as c0, c1, …, and their axes after the rows; nil
    /// for any size.
    let conditions: [(name: String, axes: [Int?])]
    /// Binds or declares its parameters.
    let build: (Scope) -> any VelocityModel
  }

  /// Checks training steps by the class of the network's config.
  func checkTrainingSteps(on client: Client) throws -> [Comparison] {
    struct Header: Decodable {
      let className: String?
      enum CodingKeys: String, CodingKey { case className = "_class_name" }
    }
    let header: Header = try networkConfig()
    switch header.className {
    case "QwenImageTransformer2DModel", "QwenImageTransformer2DModelWrapper":
      let sizes: QwenImageConfig = try transformerConfig()
      return try check(
        TrainedNetwork(
          names: sizes.names, channels: sizes.inputFeatures / (sizes.patch * sizes.patch),
          multiple: sizes.patch,
          conditions: [("text", [nil, sizes.textWidth]), ("text_mask", [nil])]
        ) { QwenImage($0, sizes) }, on: client)
    case "SD3Transformer2DModel", "SD3Transformer2DModelWrapper":
      let sizes: SD3Config = try transformerConfig()
      return try check(
        TrainedNetwork(
          names: sizes.names, channels: sizes.channels, multiple: sizes.patch,
          conditions: [("text", [nil, sizes.textWidth]), ("pooled", [sizes.pooledWidth])]
        ) { SD3($0, sizes) }, on: client)
    case "SanaTransformer2DModel", "SanaTransformer2DModelWrapper":
      let sizes: SanaConfig = try transformerConfig()
      return try check(
        TrainedNetwork(
          names: sizes.names, channels: sizes.channels, multiple: sizes.patch,
          conditions: [("text", [nil, sizes.textWidth]), ("text_mask", [nil])]
        ) { Sana($0, sizes) }, on: client)
    default:
      throw fail(
        "the training of its network, \(header.className ?? "null"), is not supported")
    }
  }

  /// Whether the case's arrays are of a single step, whose number is not in their names.
  var isOneStep: Bool { kind != .trainingSteps }

  /// The start of the names of a step's arrays.
  private func prefix(_ step: Int) -> String { isOneStep ? "" : "step\(step)." }

  private func check(_ network: TrainedNetwork, on client: Client) throws -> [Comparison] {
    var method = try method().settings
    method.timeConvention = kind == .trainingStepLoRA ? .middle : .pair
    let settings: TrainingSettings = try settings()
    let batch = try checkInputs(network)
    let partition = try trainingPartition(of: batch.rows)
    let draws = Draw.ofTwinFlow(method, partition, batch)
    for step in 0..<steps { try check(draws, prefix: prefix(step), batch) }
    let (setup, names) = try setup(network, method, settings, on: client)
    let objective = TwinFlow(method, partition: partition)
    var run = try GoldenSteps(setup, batch: self.batch(0, network, draws), on: client) {
      networks, given in
      func condition(_ letter: String) -> Named<Tensor> {
        Named(
          network.conditions.enumerated().map { ($0.element.name, given["\(letter)\($0.offset)"]!) }
        )
      }
      let loss = objective(
        networks,
        Batch(
          data: given["x"]!.channelsLast, condition: condition("c"), unconditional: condition("e")),
        Draws(published: given.group("draw").mapValues { $0.rank == 4 ? $0.channelsLast : $0 }))
      return Loss(
        total: loss.total, metrics: loss.metrics,
        details: loss.details.mapValues { $0.rank == 4 ? $0.channelsFirst : $0 })
    }
    var list: [Comparison] = []
    var decay: Float = 0
    for i in 0..<steps {
      let results = try run(self.batch(i, network, draws))
      var step = StepComparisons(self, prefix: prefix(i), results)
      step.compareLosses(partition)
      step.compare("loss", results["loss"], relative: 1e-4)
      step.compare("grad_norm", results["gradient_norm"], relative: 1e-4)
      step.compare("ema_decay_used", HostArray([decay], []))
      step.compare("ema_decay_after", results["decay"])
      decay = results["decay"]!.values[0]
      if isOneStep {
        let noisy = Set(settings.weights_with_noise_gradient ?? [])
        for (name, gradient) in results.group("gradients").onDisk(names).pairs
        where !noisy.contains(name) {
          step.compare("grad.\(name)", gradient, relative: 1e-3)
        }
      }
      list += step.list
      guard i == steps - 1 else { continue }
      list += compareWeights(
        results.group("weights").onDisk(names), "after", settings)
      if setup.averages {
        list += compareWeights(
          results.group("average").onDisk(names), "ema_after", settings)
      }
    }
    if kind == .trainingStepLoRA {
      list += try compareAdapters(network, setup, settings, names, on: client)
    }
    return list
  }

  /// Checks samples and conditions of all steps.
  ///
  /// - Returns: the shape of a batch.
  private func checkInputs(_ network: TrainedNetwork) throws -> BatchShape {
    let first = try latents(
      prefix(0) + "x", channels: network.channels, multiple: network.multiple)
    for step in 0..<steps {
      try input(prefix(step) + "x", shape: first.shape)
      for (number, condition) in network.conditions.enumerated() {
        let axes = [first.rowCount] + condition.axes
        let given = try input("\(prefix(step))c\(number)", shape: axes)
        try input("\(prefix(step))e\(number)", shape: given.shape)
      }
    }
    return BatchShape(rows: first.rowCount, sample: Array(first.shape.dropFirst()), condition: 1)
  }

  /// The partition that the masks say; without masks that of the published weights.
  private func trainingPartition(of rows: Int) throws -> Partition {
    guard expected.names.contains(where: { $0.hasPrefix(prefix(0) + "mask.") }) else {
      return try naming { try Partition(batch: rows, weights: GroupWeights()) }
    }
    let counts = try partition(of: rows, prefix: prefix(0))
    return Partition(
      endToEnd: counts[0], multiStep: counts[1], anyStep: counts[2], adversarial: counts[3],
      toData: counts[4])
  }

  /// The inputs of a step.
  private func batch(
    _ step: Int, _ network: TrainedNetwork, _ draws: [Draw]
  ) -> Named<HostArray> {
    let given = isOneStep ? inputs : inputs.group("step\(step)")
    var batch = Named([("x", given["x"]!)])
    for number in network.conditions.indices {
      for letter in ["c", "e"] { batch["\(letter)\(number)"] = given["\(letter)\(number)"]! }
    }
    for draw in draws { batch["draw.\(draw.name)"] = draw.array(in: given) }
    return batch
  }

  /// What is trained and how, and the names of the trained weights on disk.
  private func setup(
    _ network: TrainedNetwork, _ method: TwinFlowSettings, _ settings: TrainingSettings,
    on client: Client
  ) throws -> (setup: GoldenSteps.Setup, names: NameMap) {
    let optimizer = settings.optimizer
    guard optimizer.optimizer == "AdamW", optimizer.betas.count == 2 else {
      throw fail("its optimizer is \(optimizer.optimizer), and AdamW with two betas was expected")
    }
    let base = try loadedWeights(
      Scope.declare(network.build), names: { _ in network.names }, on: client
    ).mapValues { HostArray(try $0.array(of: Float.self), $0.type.shape.sizes) }
    var setup = GoldenSteps.Setup(
      weights: base, average: base, targetEMADecay: method.targetEMADecay,
      optimizer: AdamW(
        beta1: optimizer.betas[0], beta2: optimizer.betas[1], epsilon: optimizer.eps,
        weightDecay: optimizer.weight_decay),
      learningRate: optimizer.lr, maxGradNorm: optimizer.max_grad_norm
    ) { trained, frozen in Scope.bind(frozen.merging(trained), network.build) }
    guard kind == .trainingStepLoRA else {
      let trained = base.filter { name in
        base.filter { $0 == name }.onDisk(network.names).names
          .contains { expected["after.\($0)"] != nil }
      }
      guard !trained.isEmpty else { throw fail("it expects no weight of its network") }
      (setup.weights, setup.average) = (trained, trained)
      setup.frozen = base.filter { trained[$0] == nil }
      return (setup, network.names)
    }
    guard let factors = settings.lora, factors.rank > 0 else {
      throw fail("its config.json has no lora with a rank above 0")
    }
    let lora = LoRA(rank: factors.rank, alpha: factors.alpha, layers: factors.target_modules)
    let names = network.names.forLoRA
    let shapes = Scope.declare(lora: lora, network.build).filter(LoRA.isFactor)
      .mapValues(\.shape)
    func factorsOf(_ set: String) throws -> Named<HostArray> {
      let given = inputs.group(set)
      guard let arrays = given.parameters(shapes, names),
        given.count == arrays.onDisk(names).count
      else { throw fail("its inputs \(set).* are not LoRA of its modules at its rank") }
      return arrays
    }
    (setup.weights, setup.average) = (try factorsOf("lora"), try factorsOf("old"))
    setup.frozen = base
    setup.network = { trained, frozen in
      Scope.bind(frozen.merging(trained), lora: lora, network.build)
    }
    setup.initialNetwork = { Scope.bind($0, network.build) }
    return (setup, names)
  }
}
