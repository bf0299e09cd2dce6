import Flow
import Layers
import Models
import Optimizers
import Pipelines
import Runtime
import Tensors

/// One step of training as a graph: from the state and a batch to the new state and metrics.
struct TrainingStep: Sendable {
  let recipe: TrainingRecipe
  /// Every parameter, LoRA's among them, without the scales of quantized ones.
  let weights: Named<ParameterSpec>
  /// How the parameters are kept.
  let storage: Named<WeightStorage>
  /// The tensors of LoRA that is on in training only; they are among the frozen ones.
  let trainingLoRA: Named<ArraySpec>
  /// The types and shardings of the state: what is kept for a weight is sharded like the weight.
  let specs: TrainState<ArraySpec>
  /// What the step takes of each sample.
  let inputs: StepInputs
  /// nil for a network that is trained on answers.
  private let objective: (any Objective)?

  /// Makes the step of a recipe.
  ///
  /// - Parameters:
  ///   - stored: how frozen weights are kept; in f32 where they are not named.
  ///   - trainingLoRA: the tensors of LoRA that is on in training only.
  ///   - inputs: what the step takes of each sample; nil for what the recipe says alone.
  init(
    _ recipe: TrainingRecipe, stored: Named<WeightStorage> = Named(),
    trainingLoRA: Named<ArraySpec> = Named(), inputs: StepInputs? = nil
  ) throws {
    self.recipe = recipe
    self.trainingLoRA = trainingLoRA
    weights = recipe.model.weights(with: recipe.lora)
    objective = try recipe.objective.settings.objective(batch: recipe.batch)
    self.inputs = try inputs ?? StepInputs(recipe)
    let frozen = stored.filter { !recipe.trains($0) }
    let all = weights.arrays { frozen[$0] ?? .float32 }
    storage = weights.map { name, _ in frozen[name] ?? .float32 }
    specs = Self.state(all, trainingLoRA, recipe, objective)
  }

  /// The state that a recipe keeps for weights.
  private static func state(
    _ all: Named<ArraySpec>, _ trainingLoRA: Named<ArraySpec>, _ recipe: TrainingRecipe,
    _ objective: (any Objective)?
  ) -> TrainState<ArraySpec> {
    let trained = all.filter(recipe.trains)
    let moments = recipe.optimizer.optimizer.state(for: trained)
    let target = objective?.target ?? .live
    let auxiliaries = (objective?.auxiliaries ?? []).map { network in
      // A copy of the network is evaluated as it generates, without the head for the twin trajectory.
      let weights =
        network.critic.map { recipe.model.weights(of: $0).arrays { _ in .float32 } }
        ?? trained.filter { !recipe.model.isTwinHead($0) }
      let own = network.interval == nil ? Named() : recipe.optimizer.optimizer.state(for: weights)
      return (network.name, NetworkState(trained: weights, moments: own))
    }
    return TrainState(
      step: ArraySpec(TensorType([], .int32)),
      live: NetworkState(trained: trained, moments: moments),
      frozen: all.filter { !recipe.trains($0) }.merging(trainingLoRA),
      target: target.decay.map { _ in
        RampedAverage(weights: trained, decay: ArraySpec(TensorType([], .float32)))
      },
      // Without its LoRA a network is the initial one.
      initial: target == .initial ? trained.filter { !LoRA.isFactor($0) } : nil,
      ema: recipe.emaDecay > 0 ? trained : nil, auxiliaries: Named(auxiliaries))
  }

  /// The state at the start of a run, from the weights that are trained; what is frozen does not pass
  /// through a program.
  func initialState(_ trained: Named<Tensor>) -> TrainState<Tensor> {
    let zeros = { (specs: Named<ArraySpec>) in
      specs.mapValues { Tensor.zeros($0.type.shape, $0.type.dtype) }
    }
    return TrainState(
      step: .constant(0, .int32),
      live: NetworkState(trained: trained, moments: zeros(specs.live.moments)), frozen: Named(),
      target: specs.target.map { _ in RampedAverage(of: trained) },
      initial: specs.initial.map { $0.map { name, _ in trained[name]! } },
      ema: specs.ema.map { _ in trained },
      auxiliaries: specs.auxiliaries.map { name, network in
        let weights = critics[name].map { critic in
          recipe.model.weights(of: critic).initialized(Key(seed: recipe.seed))
        }
        return NetworkState(
          trained: weights ?? network.trained.map { name, _ in trained[name]! },
          moments: zeros(network.moments))
      })
  }

  /// The critics among the auxiliary networks.
  private var critics: [String: CriticHeads] {
    Dictionary(
      uniqueKeysWithValues: auxiliaries.compactMap { network in
        network.critic.map { (network.name, $0) }
      })
  }

  /// What checkpoints hold: all but the weights that LoRA is trained beside, which are in the file that the
  /// run started from, and LoRA that is on in training only.
  var saved: Named<ArraySpec> {
    guard recipe.lora == nil else { return specs.flattened(includingFrozen: false) }
    var specs = specs
    specs.frozen = specs.frozen.filter { trainingLoRA[$0] == nil }
    return specs.flattened()
  }

  private var auxiliaries: [Auxiliary] { objective?.auxiliaries ?? [] }

  /// Which networks a step updates.
  struct Updates: Hashable {
    /// Whether the one that generates is among them, by its own loss.
    var live: Bool
    /// The names of the auxiliary ones, and of the loss of the twin trajectory.
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
      live: step % (objective?.interval ?? 1) == 0,
      auxiliaries: Set(due.map(\.name) + [objective?.twinLoss].compactMap { $0 }))
  }

  /// What tells programs of a step apart.
  struct Program: Hashable {
    /// What is updated.
    let updates: Updates
    /// The types of the batch's arrays.
    let signature: Named<TensorType>
  }

  /// The types of the batches that the recipe's data give.
  var batchTypes: Named<TensorType> { inputs.types(batch: recipe.batch) }

  private var conditioner: any Conditioner { inputs.conditioner }

  /// How a batch is sharded.
  static let batchSharding = Sharding([.batch])

  /// The program of a step, which takes the memory of the state.
  ///
  /// - Parameter target: how operations are spelled; by default as the client's devices want it.
  func compiled(
    _ key: Program, on client: Client, cache: ExecutableCache?, mesh: Mesh?,
    target: Target? = nil
  ) throws -> CompiledFunction {
    let state = specs.flattened()
    let changed = specs.flattened(includingFrozen: false)
    let batch = key.signature.mapValues { ArraySpec($0, Self.batchSharding) }
    let arguments = state.merging(batch.prefixed("batch"))
    return try CompiledFunction(
      client, cache: cache, mesh: mesh, arguments.types, shardings: arguments.shardings,
      donating: { changed[$0] != nil }, target: target
    ) { arguments in
      let (next, metrics) = try self(
        TrainState(arguments, like: specs), arguments.group("batch"), updating: key.updates)
      return next.flattened(includingFrozen: false).merging(metrics.prefixed("metrics"))
    }
  }

  /// The new state, and metrics.
  func callAsFunction(
    _ state: TrainState<Tensor>, _ batch: Named<Tensor>, updating updates: Updates
  ) throws -> (state: TrainState<Tensor>, metrics: Named<Tensor>) {
    let keys = Key(seed: recipe.seed).folded(state.step).split(2)
    var next = state
    if let decay = objective?.target.decay {
      next.target = state.target!.updated(with: state.live.trained, decay: decay)
    }
    var trained: [(network: String, weights: Named<Tensor>)] = []
    if updates.live {
      trained.append(("", state.live.trained))
    } else if let twin = objective?.twinLoss {
      trained.append((twin, state.live.trained))
    }
    for network in auxiliaries where updates.auxiliaries.contains(network.name) {
      trained.append((network.name, state.auxiliaries[network.name]!.trained))
    }
    let (losses, gradients) = try gradients(
      state, target: next.target?.weights, batch, keys, for: trained)

    let rate = recipe.optimizer.schedule.learningRate(step: state.step, of: recipe.steps)
    var metrics = losses.filter { !$0.hasPrefix("auxiliary.") }
    if !updates.live {
      let own = losses.group("auxiliary").filter(updates.auxiliaries.contains)
      metrics = own
      metrics["loss"] = own.values.reduce(.constant(0, .float32), +)
    }
    for ((network, _), gradients) in zip(trained, gradients) {
      if let settings = auxiliaries.first(where: { $0.name == network }) {
        let (changed, _) = updated(
          state.auxiliaries[network]!, gradients, rate * settings.learningRateFactor, state.step,
          specs.auxiliaries[network]!.trained
        ) { _ in settings.interval }
        next.auxiliaries[network] = changed
        continue
      }
      let (changed, norm) = updated(
        state.live, gradients, rate, state.step, specs.live.trained
      ) { interval(of: $0, updates) }
      next.live = changed
      metrics["gradient_norm"] = norm
      if let ema = state.ema {
        // A young average follows the weights closely.
        let count = state.step.cast(to: .float32)
        let decay = ((count + 1) / (count + 10)).minimum(recipe.emaDecay)
        next.ema = ema.averaged(with: changed.trained, decay: decay)
      }
    }
    next.step = state.step + 1
    metrics["learning_rate"] = rate
    return (next, metrics)
  }

  /// After how many steps a weight of the generating network is updated again; nil where it is not in a step.
  private func interval(of weight: String, _ updates: Updates) -> Int? {
    guard let objective else { return 1 }
    guard objective.twinLoss != nil else { return objective.interval }
    // The loss of the twin trajectory, which is minimized in every step, does not depend on the first head.
    guard recipe.model.isFirstHead(weight) else { return 1 }
    return updates.live ? objective.interval : nil
  }

  /// One network after a step of the optimizer, and the norm of its gradients.
  ///
  /// - Parameter interval: after how many steps a weight is updated again; nil leaves it as it is.
  private func updated(
    _ network: NetworkState<Tensor>, _ gradients: Named<Tensor>, _ rate: Tensor, _ step: Tensor,
    _ specs: Named<ArraySpec>, every interval: (String) -> Int?
  ) -> (network: NetworkState<Tensor>, norm: Tensor) {
    let shardings = specs.shardings
    var gradients = gradients.map { name, gradient in
      gradient.sharded(shardings[name]!)
    }
    let norm: Tensor
    if recipe.optimizer.maxGradNorm > 0 {
      (gradients, norm) = gradients.clipped(toNorm: recipe.optimizer.maxGradNorm)
    } else {
      norm = gradients.globalNorm()
    }
    let optimizer = recipe.optimizer.optimizer
    var next = network
    for every in Set(specs.names.compactMap(interval)).sorted() {
      let own = specs.filter { interval($0) == every }
      // How often these weights were updated before.
      let count = every == 1 ? step : step / Tensor.constant(Double(every), step.dtype)
      let updated = optimizer.update(
        own.map { name, _ in network.trained[name]! }, gradients,
        optimizer.state(for: own).map { name, _ in network.moments[name]! }, learningRate: rate,
        step: count.cast(to: .float32))
      next.trained.merge(updated.weights)
      next.moments.merge(updated.state)
    }
    return (next, norm)
  }

  /// The loss's scalars, and the gradients of networks.
  private func gradients(
    _ state: TrainState<Tensor>, target: Named<Tensor>?, _ batch: Named<Tensor>, _ keys: [Key],
    for trained: [(network: String, weights: Named<Tensor>)]
  ) throws -> (metrics: Named<Tensor>, gradients: [Named<Tensor>]) {
    guard let objective else {
      guard let network = recipe.model.supervised else {
        preconditionFailure("\(recipe.objective.kind) does not train \(recipe.model.kind)")
      }
      let metrics = network.metrics(state.live.trained, batch)
      return (metrics, trained.map { metrics["loss"]!.gradients(for: $0.weights) })
    }
    func bind(
      _ weights: Named<Tensor>, _ lora: LoRA?, as model: ModelConfig? = nil
    ) -> ShardedModel {
      let model = model ?? recipe.model
      let all = state.frozen.merging(weights).filter {
        model.hasTwinHead || !recipe.model.isTwinHead($0)
      }
      return ShardedModel(
        model: model.velocityModel(narrowed(all), lora: lora)!, compute: recipe.precision.dtype)
    }
    let targetNetwork =
      switch objective.target {
      case .live: bind(state.live.trained.stopGradient(), recipe.lora)
      case .average: bind(target!.stopGradient(), recipe.lora)
      case .initial: bind(state.initial!.stopGradient(), nil)
      }
    let networks = Networks(
      live: bind(state.live.trained, recipe.lora), target: targetNetwork,
      auxiliaries: Dictionary(
        uniqueKeysWithValues: state.auxiliaries.pairs.filter { critics[$0.name] == nil }.map {
          ($0.name, bind($0.value.trained, recipe.lora, as: recipe.generatingModel))
        }),
      critics: Dictionary(
        uniqueKeysWithValues: critics.map { name, critic in
          (name, recipe.model.critic(critic, state.auxiliaries[name]!.trained))
        }))
    return try objective.gradients(
      networks,
      objective.draw(
        self.batch(batch, at: state.step, dropping: keys[1]), key: keys[0]),
      microBatches: recipe.accumulation, for: trained)
  }

  /// The batch as objectives see it.
  ///
  /// - Parameters:
  ///   - step: the number of steps before this one.
  ///   - key: the source of which conditions are dropped.
  private func batch(_ arrays: Named<Tensor>, at step: Tensor, dropping key: Key) -> Batch {
    // Without data the network's own samples take their place.
    let type = inputs.sample.type(batch: recipe.batch)
    let data = arrays[InputSpec.sample] ?? .zeros(type.shape, type.dtype)
    let given = arrays.filter { name in conditioner.inputs.contains { $0.name == name } }
    let (condition, unconditional) = (conditioner(given), conditioner.unconditional(given))
    let weights = arrays[StepInputs.mask]
    guard recipe.conditionDropout > 0 else {
      return Batch(
        data: data, condition: condition, unconditional: unconditional, weights: weights,
        step: step)
    }
    let dropped = key.bernoulli(recipe.conditionDropout, [recipe.batch])
    let kept = condition.map { name, value in
      dropped.expanded(toRank: value.rank).select(unconditional[name]!, value)
    }
    return Batch(
      data: data, condition: kept, unconditional: unconditional, weights: weights, step: step)
  }

  /// Matrices in the element type that networks compute in: what devices send each other of weights
  /// is then as narrow. Those in 8 bits are narrower and stay so.
  private func narrowed(_ weights: Named<Tensor>) -> Named<Tensor> {
    guard recipe.precision != .float32 else { return weights }
    return weights.map { name, weight in
      guard let declared = self.weights[name], weight.rank >= 2, weight.dtype.isFloat,
        !weight.dtype.isFloat8
      else {
        return weight
      }
      return weight.cast(to: recipe.precision.dtype).sharded(declared.sharding)
    }
  }
}

extension TargetNetwork {
  /// The decay of an average, nil for other networks.
  var decay: Double? {
    if case .average(let decay) = self { decay } else { nil }
  }
}
