import Flow
import Foundation
import Layers
import Models
import Optimizers
import Runtime
import Tensors
import Weights

/// The training of published networks: the objective of `MethodCheck` on transformers.
extension GoldenCase {
  /// The settings of a case of training steps.
  private struct TrainingSettings: Decodable {
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
  private struct TrainedNetwork {
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
    struct Header: Decodable { let _class_name: String? }
    let header: Header = try networkConfig()
    switch header._class_name {
    case "QwenImageTransformer2DModel", "QwenImageTransformer2DModelWrapper":
      let sizes: QwenImageConfig = try networkConfig()
      return try check(
        TrainedNetwork(
          names: sizes.names, channels: sizes.inputFeatures / (sizes.patch * sizes.patch),
          multiple: sizes.patch,
          conditions: [("text", [nil, sizes.textWidth]), ("text_mask", [nil])]
        ) { QwenImage($0, sizes) }, on: client)
    default:
      throw fail(
        "the training of its network, \(header._class_name ?? "null"), is not supported")
    }
  }

  private var isOneStep: Bool { kind != .trainingSteps }

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

/// The comparison of weights and files after the steps.
extension GoldenCase {
  /// Compares weights after the steps, without those that AdamW moves by the sign of rounding noise.
  ///
  /// After one step these are known by their gradients. After several, one weight in a hundred, and
  /// one at least, may be off by what AdamW can move it.
  private func compareWeights(
    _ actual: Named<HostArray>, _ group: String, _ settings: TrainingSettings
  ) -> [Comparison] {
    let rate = settings.optimizer.lr
    let noisy = Set(settings.weights_with_noise_gradient ?? [])
    return actual.pairs.compactMap { name, actual in
      let output = "\(group).\(name)"
      guard let wanted = expected[output], !noisy.contains(name) else { return nil }
      let floor = config.noiseFloors?[output] ?? 0
      let chosen: [Int]
      if actual.shape != wanted.shape {
        chosen = []
      } else if isOneStep, let gradient = expected["grad.\(name)"], gradient.shape == wanted.shape {
        let sizes = gradient.values.map { Double(abs($0)) }
        let limit = max(
          1e-4 * (sizes.max() ?? 0), 20 * (config.noiseFloors?["grad.\(name)"] ?? 0))
        chosen = sizes.indices.filter { sizes[$0] >= limit }
      } else {
        let off = zip(actual.values, wanted.values).map { abs(Double($0) - Double($1)) }
        let order = off.indices.sorted { off[$0] < off[$1] }
        let left = order.suffix(max(1, order.count / 100))
        guard left.allSatisfy({ off[$0] <= 2 * rate * Double(steps) }) else {
          return Comparison(output, actual, wanted, relative: 1e-5)
        }
        chosen = Array(order.dropLast(left.count))
      }
      guard !chosen.isEmpty || actual.shape != wanted.shape else { return nil }
      func at(_ array: HostArray) -> HostArray {
        actual.shape == wanted.shape
          ? HostArray(chosen.map { array.values[$0] }, [chosen.count]) : array
      }
      return Comparison(
        output, at(actual), at(wanted), absolute: max(isOneStep ? 10 * floor : 0, rate / 100),
        relative: 1e-5)
    }
  }

  /// Compares the case's files of LoRA before and after the step with the arrays of the case.
  private func compareAdapters(
    _ network: TrainedNetwork, _ setup: GoldenSteps.Setup, _ settings: TrainingSettings,
    _ names: NameMap, on client: Client
  ) throws -> [Comparison] {
    let specs = Scope.declare(network.build)
    let shapes = setup.weights.mapValues { Shape($0.shape) }
    let scale = settings.lora.map { $0.alpha / Double($0.rank) } ?? 1
    return try [("in", inputs.group("lora")), ("after", expected.group("after"))].flatMap {
      time, arrays in
      try ["peft", "diffusers"].compactMap { style in
        let folder = "adapter_\(time)_\(style)"
        guard FileManager.default.fileExists(atPath: "\(path)/\(folder)") else { return nil }
        let file = try naming {
          try LoRAFile(path: "\(path)/\(folder)")
            .fitted(to: specs, layouts: [network.names], network: "the case's network")
            .load(as: folder, on: client)
        }
        guard let factors = arrays.parameters(shapes, names) else {
          throw fail("its arrays of LoRA do not have the shapes of its network's")
        }
        // The file's factors under the names in training, and its scales.
        var (found, wanted) = ([Float](), [Float]())
        for (name, factor) in factors.pairs {
          let map = name.dropLast(".lora_A.weight".count)
          let part = name.hasSuffix(".lora_A.weight") ? Adapter.Part.down : .up
          for part in [part, .scale] {
            let array = file[Adapter.name(part, of: folder, path: String(map))]
            let values = try array?.array(of: Float.self) ?? []
            found += values
            wanted +=
              part == .scale
              ? [Float](repeating: Float(scale), count: values.count) : factor.values
          }
        }
        return Comparison(
          folder, HostArray(found, [found.count]), HostArray(wanted, [wanted.count]),
          relative: 1e-7)
      }
    }
  }
}

extension GoldenCase.StepComparisons {
  /// Compares the points on the paths, the targets and the terms of the loss.
  fileprivate mutating func compareLosses(_ partition: Partition) {
    let details = results.group("details")
    for (name, detail, relative) in [
      ("x_t", "x_t", 1e-4), ("t", "t", 1e-4), ("tt", "tt", 1e-4), ("x_after", "data", 1e-4),
      ("target_flow", "flow", 1e-4), ("target_enhanced", "enhanced", 1e-4),
      ("loss0.pred", "velocity", 1e-4), ("loss0.target", "regression", 1e-3),
      ("loss0.per_sample", "per_sample", 1e-3), ("weighting", "weights", 1e-4),
      ("dm.F_grad", "difference", 1e-4), ("loss1.per_sample", "rectification", 1e-4),
    ] {
      compare(name, details[detail], relative: relative)
    }
    // The published targets of adversarial rows are unused.
    compare(
      "target_rcgm", details["regression"], rows: partition.realRanges(), relative: 1e-3)
    guard let velocity = details["velocity"]?.rows([partition.endToEndRows]) else { return }
    compare("loss1.pred", velocity, relative: 1e-4)
    guard let difference = details["difference"] else { return }
    let target = zip(velocity.values, difference.values).map { $0 - $1 }
    compare("loss1.target", HostArray(target, velocity.shape), relative: 1e-4)
  }
}
