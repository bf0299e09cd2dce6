import Flow
import Layers
import Models
import Optimizers
import Tensors

/// One step of training as a graph: from the state and a batch to the new state and metrics.
///
/// The state's names: `weights.…`, which are trained; `frozen.…`, those that are not; `optimizer.…`;
/// `average.…` and `decay` where the target network is an average, `initial.…` where it is the
/// initial network; `auxiliary.NAME.weights.…` and `auxiliary.NAME.optimizer.…` of the objective's
/// further networks; `ema.…` where generation gets an average; `step`, the number of steps so far.
struct TrainingStep: Sendable {
  let recipe: TrainingRecipe
  /// Every weight, adapters among them.
  let weights: Named<ParameterSpec>
  /// The types of the state.
  private(set) var stateTypes = Named<TensorType>()
  /// How the state and the batch are split over a mesh: everything that is kept for a weight lies
  /// as the weight does.
  private(set) var shardings = Named<Sharding>()
  /// nil for a classifier.
  private let objective: (any Objective)?

  /// Makes the step of a recipe.
  ///
  /// - Parameter stored: the element types that frozen weights are kept in; f32 where they are not
  ///   named.
  init(_ recipe: TrainingRecipe, stored: Named<DType> = Named()) throws {
    self.recipe = recipe
    weights = recipe.model.weights(with: recipe.lora)
    objective = try recipe.objective.objective(batch: recipe.batch)
    let all = weights.map { name, spec in
      Tensor.placeholder(spec.type(recipe.trains(name) ? .float32 : stored[name] ?? .float32))
    }
    stateTypes = initialState(all).mapValues(\.type)
    for name in stateTypes.names { shardings[name] = sharding(name) }
    for name in batchTypes.names { shardings[name] = Self.batchSharding }
  }

  /// The name before those of weights that no step changes.
  static let frozen = "frozen"

  /// What a step changes, of the types of the state: what a checkpoint holds.
  var changedTypes: Named<TensorType> {
    stateTypes.filter { !$0.hasPrefix(Self.frozen + ".") }
  }

  /// How a batch is split.
  static let batchSharding = Sharding([.batch])

  private func sharding(_ name: String) -> Sharding {
    // `optimizer.first.blocks.*.mlp.weight` is kept for `blocks.*.mlp.weight`.
    var rest = Substring(name)
    while let dot = rest.firstIndex(of: ".") {
      rest = rest[rest.index(after: dot)...]
      if let weight = weights[String(rest)], weight.shape == stateTypes[name]?.shape {
        return weight.sharding
      }
    }
    return .whole
  }

  private var targetEMADecay: Double { objective?.targetEMADecay ?? 0 }
  private var auxiliaries: [Auxiliary] { objective?.auxiliaries ?? [] }

  /// Which networks a step updates.
  struct Updates: Hashable {
    /// Whether the one that generates is among them.
    var live: Bool
    /// The names of the auxiliary ones.
    var auxiliaries: Set<String>
  }

  /// After how many steps what they update repeats itself.
  var period: Int {
    auxiliaries.compactMap(\.interval).reduce(objective?.interval ?? 1) { all, interval in
      let (product, overflow) = all.multipliedReportingOverflow(by: interval)
      return overflow ? .max : product
    }
  }

  /// What the step of a number updates.
  func updates(at step: Int) -> Updates {
    let due = auxiliaries.filter { $0.interval.map { step % $0 == 0 } ?? false }
    return Updates(
      live: step % (objective?.interval ?? 1) == 0, auxiliaries: Set(due.map(\.name)))
  }

  /// The state at the start of a run, from all weights.
  func initialState(_ all: Named<Tensor>) -> Named<Tensor> {
    let weights = all.filter(recipe.trains)
    let moments = recipe.optimizer.rule.state(for: weights.mapValues(\.type))
      .mapValues { Tensor.zeros($0.shape, $0.dtype) }
    var state = weights.prefixed("weights")
    state.merge(all.filter { !recipe.trains($0) }.prefixed(Self.frozen))
    state.merge(moments.prefixed("optimizer"))
    if targetEMADecay > 0, targetEMADecay < 1 {
      state.merge(weights.prefixed("average"))
      state["decay"] = .constant(0, .float32)
    }
    if targetEMADecay == 1 {
      // Without its adapters a network is the initial one.
      state.merge(weights.filter { !LoRA.isFactor($0) }.prefixed("initial"))
    }
    for network in auxiliaries {
      state.merge(weights.prefixed("auxiliary.\(network.name).weights"))
      if network.interval != nil {
        state.merge(moments.prefixed("auxiliary.\(network.name).optimizer"))
      }
    }
    if recipe.emaDecay > 0 { state.merge(weights.prefixed("ema")) }
    state["step"] = .constant(0, .int32)
    return state
  }

  /// The types of a batch: `samples` `[batch, …]` and `labels` `[batch]`.
  var batchTypes: Named<TensorType> {
    let shape = recipe.model.sample.shape.sizes
    return Named([
      ("samples", TensorType(Shape([recipe.batch] + shape), .float32)),
      ("labels", TensorType([recipe.batch], .int32)),
    ])
  }

  /// The step as a program, which takes the memory of the state.
  ///
  /// - Parameter target: how operations are spelled; by default as the client's devices want it.
  func compiled(
    updating updates: Updates, on client: Client, cache: ExecutableCache?, mesh: Mesh?,
    target: Target? = nil
  ) throws -> CompiledFunction {
    let changed = changedTypes
    return try CompiledFunction(
      client, cache: cache, mesh: mesh, stateTypes.merging(batchTypes), shardings: shardings,
      donating: { changed[$0] != nil }, target: target
    ) { arguments in
      let batch = Named(batchTypes.names.map { ($0, arguments[$0]!) })
      let next = self(arguments.filter { stateTypes[$0] != nil }, batch, updating: updates)
      return next.filter { changed[$0] != nil || stateTypes[$0] == nil }
    }
  }

  /// The new state, with metrics under `metrics.…`.
  func callAsFunction(
    _ state: Named<Tensor>, _ batch: Named<Tensor>, updating updates: Updates
  ) -> Named<Tensor> {
    let step = state["step"]!
    let keys = Key(seed: recipe.seed).folded(step).split(2)
    let weights = state.group("weights")
    var next = state
    var target = weights
    if targetEMADecay > 0, targetEMADecay < 1 {
      let decay = state["decay"]!
      target = state.group("average").averaged(with: weights, rate: decay)
      next.merge(target.prefixed("average"))
      next["decay"] = decay + (1 - decay) * (targetEMADecay - decay) * 0.5
    } else if targetEMADecay == 1 {
      target = state.group("initial")
    }

    let loss = loss(state, target.stopGradient(), batch, keys)
    let rate = recipe.optimizer.schedule.rate(step: step, of: recipe.steps)
    var metrics = Named<Tensor>()
    if updates.live {
      let (changed, norm) = update(
        weights, state.group("optimizer"), loss.total, rate, step, every: objective?.interval ?? 1)
      next.merge(changed)
      metrics.merge(loss.metrics)
      metrics["gradient_norm"] = norm
      if recipe.emaDecay > 0 {
        let count = step.cast(to: .float32)
        let young = (count + 1) / (count + 10)
        let average = state.group("ema").averaged(
          with: changed.group("weights"), rate: young.minimum(recipe.emaDecay))
        next.merge(average.prefixed("ema"))
      }
    } else {
      let losses = loss.auxiliaries.filter(updates.auxiliaries.contains)
      metrics.merge(losses)
      metrics["loss"] = losses.values.reduce(.constant(0, .float32), +)
    }
    for network in auxiliaries where updates.auxiliaries.contains(network.name) {
      let own = state.group("auxiliary.\(network.name)")
      let (changed, _) = update(
        own.group("weights"), own.group("optimizer"), loss.auxiliaries[network.name]!,
        rate * network.rate, step, every: network.interval ?? 1)
      next.merge(changed.prefixed("auxiliary.\(network.name)"))
    }
    next["step"] = step + 1
    metrics["rate"] = rate
    next.merge(metrics.prefixed("metrics"))
    return next
  }

  /// New `weights.…` and `optimizer.…` of one network, and the norm of its gradients.
  private func update(
    _ weights: Named<Tensor>, _ moments: Named<Tensor>, _ loss: Tensor, _ rate: Tensor,
    _ step: Tensor, every interval: Int
  ) -> (state: Named<Tensor>, norm: Tensor) {
    var gradients = loss.gradients(for: weights).map { name, gradient in
      gradient.sharded(self.weights[name]!.sharding)
    }
    let norm: Tensor
    if recipe.optimizer.maxGradNorm > 0 {
      (gradients, norm) = gradients.clipped(toNorm: recipe.optimizer.maxGradNorm)
    } else {
      norm = gradients.globalNorm()
    }
    // How often this network was updated before.
    let count = interval == 1 ? step : step / Tensor.constant(Double(interval), step.dtype)
    let updated = recipe.optimizer.rule.update(
      weights, gradients, moments, rate: rate, step: count.cast(to: .float32))
    let state = updated.weights.prefixed("weights").merging(updated.state.prefixed("optimizer"))
    return (state, norm)
  }

  private func loss(
    _ state: Named<Tensor>, _ target: Named<Tensor>, _ batch: Named<Tensor>, _ keys: [Key]
  ) -> Loss {
    let (weights, frozen) = (state.group("weights"), state.group("frozen"))
    let (samples, labels) = (batch["samples"]!, batch["labels"]!)
    guard let objective else { return classification(weights, samples, labels) }
    let none = labels.zerosLike + Double(recipe.model.sample.classes)
    var given = labels
    if recipe.conditionDropout > 0 {
      given = keys[1].bernoulli(recipe.conditionDropout, labels.shape).select(none, labels)
    }
    let bind = { (weights: Named<Tensor>, adapters: LoRA?) in
      SpreadModel(
        model: recipe.model.velocityModel(
          narrowed(frozen.merging(weights)), adapters: adapters)!,
        precision: recipe.precision.dtype)
    }
    let further = auxiliaries.map { network in
      (
        network.name,
        bind(state.group("auxiliary.\(network.name).weights"), recipe.lora)
      )
    }
    let networks = Networks(
      live: bind(weights, recipe.lora),
      target: bind(target, targetEMADecay == 1 ? nil : recipe.lora),
      auxiliaries: Dictionary(uniqueKeysWithValues: further))
    let all = Samples(
      data: samples, condition: Named([("label", given)]),
      unconditional: Named([("label", none)]))
    return objective(networks, all, key: keys[0])
  }

  /// Matrices in the element type that networks compute in: what devices send each other of weights
  /// is then as narrow.
  private func narrowed(_ weights: Named<Tensor>) -> Named<Tensor> {
    guard recipe.precision != .float32 else { return weights }
    return weights.map { name, weight in
      guard let declared = self.weights[name], weight.rank >= 2 else { return weight }
      return weight.cast(to: recipe.precision.dtype).sharded(declared.sharding)
    }
  }

  private func classification(
    _ weights: Named<Tensor>, _ images: Tensor, _ labels: Tensor
  ) -> Loss {
    guard case .classifier(let config) = recipe.model else {
      preconditionFailure("classification needs a classifier")
    }
    let logits = Scope.bind(weights) { Classifier($0, config) }(images).logits
    let total = logits.crossEntropy(labels).mean()
    let hits = logits.argmax().equal(labels).cast(to: .float32).mean()
    return Loss(total: total, metrics: Named([("loss", total), ("accuracy", hits)]))
  }
}
