import Flow
import Optimizers
import Tensors

extension GoldenCase {
  /// The training of the case's MLP by gradient descent.
  private func setup(targetEMADecay: Double) -> GoldenSteps.Setup {
    let (weights, average) = trainable
    var setup = GoldenSteps.Setup(
      weights: weights, average: average, targetEMADecay: targetEMADecay, optimizer: SGD(),
      learningRate: config.learningRate ?? 0.1, network: binding)
    if kind == .lora {
      setup.frozen = self.weights("model.base")
      // The initial network is the one without LoRA.
      setup.initialNetwork = { MLP($0, takesTarget: false) }
    }
    return setup
  }

  /// The steps of the case, whose networks are conditioned on rows of numbers.
  private func run(
    _ draws: [Draw], targetEMADecay: Double, on client: Client,
    _ loss: (Networks, Batch, Named<Tensor>) -> Loss,
    compare: (inout StepComparisons) -> Void
  ) throws -> [Comparison] {
    let setup = setup(targetEMADecay: targetEMADecay)
    var run = try GoldenSteps(setup, batch: batch(0, draws), on: client) { networks, given in
      loss(
        networks,
        Batch(
          data: given["x"]!, condition: Named([("c", given["c0"]!)]),
          unconditional: Named([("c", (given["e0"] ?? given["c0"])!)])),
        given.group("draw"))
    }
    return try (0..<steps).flatMap { i in
      var step = StepComparisons(self, prefix: "step\(i).", try run(batch(i, draws)))
      compare(&step)
      step.compareUpdate(averaged: setup.averages)
      return step.list
    }
  }

  /// The trained weights and their initial average.
  private var trainable: (weights: Named<HostArray>, average: Named<HostArray>) {
    guard kind == .lora else {
      let weights = weights("model")
      return (weights, inputs.group("ema").isEmpty ? weights : self.weights("ema"))
    }
    func lora(_ set: String) -> Named<HostArray> {
      let names = ["fc1_A", "fc1_B", "fc2_A", "fc2_B"]
      return Named(names.map { ($0, inputs["model.lora.\($0)_\(set)"]!) })
    }
    return (lora("default"), lora("old"))
  }

  /// The weights of a network under a prefix, without other arrays there.
  private func weights(_ prefix: String) -> Named<HostArray> {
    Named(MLP.names.map { ($0, inputs["\(prefix).\($0)"]!) })
  }

  /// The function that binds weights to a network.
  private var binding: (Named<Tensor>, Named<Tensor>) -> any VelocityModel {
    guard kind == .lora else { return { weights, _ in MLP(weights) } }
    let scale = (config.model?.lora_alpha ?? 1) / Double(config.model?.lora_r ?? 1)
    return { weights, frozen in
      MLP(frozen.merged(with: weights, scale: scale), takesTarget: false)
    }
  }

  /// A draw of a step, under its published name.
  struct Draw {
    let name: String
    /// The published shape, or for times one element per row.
    let shape: [Int]
    /// Whether the settings use it; unused draws are replaced by zeros.
    let isUsed: Bool

    static func times(_ name: String, _ rows: Int, isUsed: Bool = true) -> Draw {
      Draw(name: name, shape: [rows], isUsed: isUsed && rows > 0)
    }

    static func noise(
      _ name: String, _ batch: BatchShape, rows: Int? = nil, isUsed: Bool = true
    ) -> Draw {
      let rows = rows ?? batch.rows
      return Draw(name: name, shape: batch.samples(rows), isUsed: isUsed && rows > 0)
    }

    /// The draws of a step of the objective for large models.
    static func ofTwinFlow(
      _ settings: TwinFlowSettings, _ partition: Partition, _ batch: BatchShape
    ) -> [Draw] {
      let rectifies = settings.consistencyRatio == 1 && settings.rectification > 0
      let hasTargets = settings.consistencyRatio > 0
      return [
        .times("t_beta", batch.rows),
        .times("tt_rand", batch.rows, isUsed: hasTargets && partition.anyStep > 0),
        .times("tmin_rand", batch.rows, isUsed: hasTargets && partition.multiStep > 0),
        .noise("z", batch),
        .noise("adv_noise", batch, rows: partition.adversarial),
        .noise("dm_z", batch, rows: partition.endToEnd, isUsed: rectifies),
        .times("dm_t_beta", partition.endToEnd, isUsed: rectifies),
        .noise("imagefree_noise", batch, isUsed: settings.dataFree),
      ]
    }

    /// The draw among the inputs of a step; zeros where it is not used.
    func array(in given: Named<HostArray>) -> HostArray {
      let zeros = [Float](repeating: 0, count: shape.reduce(1, *))
      return HostArray(isUsed ? given["draw.\(name)"]!.values : zeros, shape)
    }
  }

  /// The samples and draws of a step; a missing condition is replaced by 0, as published.
  private func batch(_ step: Int, _ draws: [Draw]) -> Named<HostArray> {
    let given = inputs.group("step\(step)")
    var batch = Named<HostArray>()
    for name in ["x", "c0", "e0"] { batch[name] = given[name] }
    if inputs["step0.c0"] == nil {
      let rows = given["x"]!.shape[0]
      batch["c0"] = HostArray([Float](repeating: 0, count: rows), [rows, 1])
      batch["e0"] = nil
    }
    for draw in draws { batch["draw.\(draw.name)"] = draw.array(in: given) }
    return batch
  }

  /// Checks all inputs of a case's steps.
  ///
  /// - Throws: `GoldenError.wrongCase` for inputs that are missing or of another shape.
  private func checkInputs(_ batch: BatchShape, _ draws: [Draw], guided: Bool) throws {
    if kind == .lora {
      try checkNetwork("model.base", batch, times: 1)
      try checkLoRA()
    } else {
      try checkNetwork("model", batch, times: 2)
      if !inputs.group("ema").isEmpty {
        for name in MLP.names {
          try input("ema.\(name)", shape: input("model.\(name)").shape)
        }
      }
    }
    let hasCondition = inputs["step0.c0"] != nil
    for step in 0..<steps {
      try input("step\(step).x", shape: batch.samples(batch.rows))
      if hasCondition {
        try input("step\(step).c0", shape: [batch.rows, batch.condition])
        if guided || inputs["step\(step).e0"] != nil || inputs["step0.e0"] != nil {
          try input("step\(step).e0", shape: [batch.rows, batch.condition])
        }
      }
      try check(draws, prefix: "step\(step).", batch)
    }
  }

  /// Checks the draws of a step.
  ///
  /// - Throws: `GoldenError.wrongCase` for draws that are used and missing or of another shape.
  func check(_ draws: [Draw], prefix: String, _ batch: BatchShape) throws {
    for draw in draws where draw.isUsed {
      let name = "\(prefix)draw.\(draw.name)"
      let array = try input(name)
      // Published times have trailing axes of size 1.
      let axes = [Int](repeating: 1, count: batch.sample.count)
      let fits =
        array.shape == draw.shape || (draw.shape.count == 1 && array.shape == draw.shape + axes)
      guard fits else {
        throw fail("its input \(name) is \(array.shape), and \(draw.shape) was expected")
      }
    }
  }

  /// The number of steps.
  var steps: Int { config.steps ?? 1 }

  /// The settings of a training case.
  ///
  /// - Throws: `GoldenError.wrongCase` where they are missing or out of range.
  func method() throws -> Method {
    guard let method = config.method else { throw fail("its config.json has no method") }
    if let problem = method.problem(orders: kind == .tutorial ? 1...16 : 0...16) {
      throw fail(problem)
    }
    guard (1...1000).contains(steps) else {
      throw fail("its steps are \(steps), and 1 to 1000 were expected")
    }
    guard kind != .lora || (config.model?.lora_r ?? 1) > 0 else {
      throw fail("its lora_r is \(config.model?.lora_r ?? 0), and a number above 0 was expected")
    }
    return method
  }

  /// The comparisons of one step, of those outputs that the case has.
  struct StepComparisons {
    let golden: GoldenCase
    /// The start of the outputs' names.
    let prefix: String
    let results: Named<HostArray>
    var list: [Comparison] = []

    init(_ golden: GoldenCase, prefix: String, _ results: Named<HostArray>) {
      (self.golden, self.prefix, self.results) = (golden, prefix, results)
    }

    /// Compares an output with the published one, in all or some of its rows.
    mutating func compare(
      _ name: String, _ actual: HostArray?, rows: [Range<Int>]? = nil, relative: Double = 1e-5
    ) {
      let name = prefix + name
      guard var wanted = golden.expected[name], var actual else { return }
      // Where the shapes differ, rows are not selected, and the comparison fails.
      if let rows, wanted.shape == actual.shape {
        (actual, wanted) = (actual.rows(rows), wanted.rows(rows))
      }
      list.append(
        Comparison(
          name, actual, wanted, absolute: 10 * (golden.config.noiseFloors?[name] ?? 0),
          relative: relative))
    }

    /// Compares the outputs of all methods: loss, gradients, new weights, average and decay.
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
    var settings = try method().settings
    settings.timeConvention = kind == .lora ? .middle : .pair
    let batch = try batchShape(samples: "step0.x", condition: "step0.c0")
    let counts = try partition(of: batch.rows)
    let partition = Partition(
      endToEnd: counts[0], multiStep: counts[1], anyStep: counts[2], adversarial: counts[3],
      toData: counts[4])
    let draws = Draw.ofTwinFlow(settings, partition, batch)
    try checkInputs(batch, draws, guided: settings.enhancedRatio != 0)
    let objective = TwinFlow(settings, partition: partition)
    return try run(draws, targetEMADecay: settings.targetEMADecay, on: client) {
      networks, batch, draws in
      objective(networks, batch, Draws(published: draws))
    } compare: { step in
      let details = step.results.group("details")
      for (name, detail, relative) in [
        ("x_t", "x_t", 1e-5), ("t", "t", 1e-5), ("tt", "tt", 1e-5),
        ("x_after_adv_replacement", "data", 1e-5), ("target_flow", "flow", 1e-5),
        ("loss0.pred", "velocity", 1e-5), ("loss0.target", "regression", 2e-4),
        ("loss0.per_sample", "per_sample", 2e-4), ("weighting", "weights", 1e-5),
        ("dm.F_grad", "difference", 1e-5), ("loss1.per_sample", "rectification", 1e-5),
      ] {
        step.compare(name, details[detail], relative: relative)
      }
      // The published targets of adversarial rows are unused.
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
    }
  }

  func checkTutorial(on client: Client) throws -> [Comparison] {
    let method = try method()
    var settings = TutorialSettings()
    settings.order = method.estimateOrder
    settings.enhancedRatio = method.enhancedRatio
    settings.targetEMADecay = method.targetEMADecay
    settings.twin = method.twin
    let batch = try batchShape(samples: "step0.x", condition: "step0.c0")
    let draws: [Draw] = [
      .times("t_rand", batch.rows), .times("tt_rand", batch.rows), .noise("z", batch),
      .noise("dm_z", batch, isUsed: settings.twin),
      .times("dm_t_rand", batch.rows, isUsed: settings.twin),
    ]
    try checkInputs(batch, draws, guided: settings.enhancedRatio > 0)
    let objective = TutorialTwinFlow(settings, batch: batch.rows)
    return try run(draws, targetEMADecay: settings.targetEMADecay, on: client) {
      networks, batch, draws in
      objective(
        networks, batch,
        TutorialTwinFlow.Draws(
          time: draws["t_rand"]!, target: draws["tt_rand"]!, noise: draws["z"]!,
          rectificationNoise: draws["dm_z"]!, rectificationTime: draws["dm_t_rand"]!))
    } compare: { step in
      let details = step.results.group("details")
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
    }
  }
}

extension Draws {
  /// The draws of a step under their published names.
  init(published draws: Named<Tensor>) {
    self.init(
      time: draws["t_beta"]!, target: draws["tt_rand"]!, near: draws["tmin_rand"]!,
      fakeNoise: draws["adv_noise"]!, noise: draws["z"]!, rectificationNoise: draws["dm_z"]!,
      rectificationTime: draws["dm_t_beta"]!, dataNoise: draws["imagefree_noise"]!)
  }
}
