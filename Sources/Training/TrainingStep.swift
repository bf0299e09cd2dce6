import Flow
import Layers
import Models
import Optimizers
import Tensors

/// One step of training as a graph: from the state and a batch to the new state and metrics.
///
/// The state's names: `weights.…`, which are trained; `frozen.…`, those that are not; `optimizer.…`;
/// `average.…` and `decay` where the target network is an average, `initial.…` where it is the
/// initial network; `smooth.…` where generation gets an average; `step`, the number of steps so far.
struct TrainingStep: Sendable {
  let recipe: TrainingRecipe
  /// Every weight, adapters among them.
  let weights: Named<Weight>
  /// The types of the state.
  private(set) var stateTypes = Named<TensorType>()

  /// Makes the step of a recipe.
  init(_ recipe: TrainingRecipe) {
    self.recipe = recipe
    weights = recipe.model.weights(with: recipe.adapters)
    stateTypes = initialState(weights.mapValues { .placeholder($0.type) }).mapValues(\.type)
  }

  /// The rate of the target network's average, 0 without one.
  var averageRate: Double {
    switch recipe.objective {
    case .twinFlow(let settings): settings.averageRate
    case .tutorial(let settings): settings.averageRate
    case .classification: 0
    }
  }

  /// The state at the start of a run, from all weights.
  func initialState(_ all: Named<Tensor>) -> Named<Tensor> {
    let isTrained = recipe.adapters?.trains ?? { _ in true }
    let weights = all.filter(isTrained)
    var state = weights.prefixed("weights")
    state.merge(all.filter { !isTrained($0) }.prefixed("frozen"))
    let moments = recipe.optimizer.rule.state(for: weights.mapValues(\.type))
    state.merge(moments.mapValues { .zeros($0.shape, $0.dtype) }.prefixed("optimizer"))
    if averageRate > 0, averageRate < 1 {
      state.merge(weights.prefixed("average"))
      state["decay"] = .constant(0, .float32)
    }
    if averageRate == 1 {
      // Without its adapters a network is the initial one.
      state.merge(weights.filter { !Adapters.isFactor($0) }.prefixed("initial"))
    }
    if recipe.smoothing > 0 { state.merge(weights.prefixed("smooth")) }
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

  /// The new state, with metrics under `metrics.…`.
  func callAsFunction(_ state: Named<Tensor>, _ batch: Named<Tensor>) throws -> Named<Tensor> {
    let weights = state.group("weights")
    let step = state["step"]!
    let keys = Key(seed: recipe.seed).folded(step).split(2)
    var next = state

    var target = weights
    if averageRate > 0, averageRate < 1 {
      let decay = state["decay"]!
      target = state.group("average").averaged(with: weights, rate: decay)
      next.merge(target.prefixed("average"))
      next["decay"] = decay + (1 - decay) * (averageRate - decay) * 0.5
    } else if averageRate == 1 {
      target = state.group("initial")
    }

    let loss = try loss(state, target.stopGradient(), batch, keys)
    var gradients = loss.total.gradients(for: weights)
    let norm: Tensor
    if recipe.optimizer.clip > 0 {
      (gradients, norm) = gradients.clipped(toNorm: recipe.optimizer.clip)
    } else {
      norm = gradients.globalNorm()
    }
    let count = step.cast(to: .float32)
    let rate = recipe.optimizer.schedule.rate(step: step, of: recipe.steps)
    let updated = recipe.optimizer.rule.update(
      weights, gradients, state.group("optimizer"), rate: rate, step: count)
    next.merge(updated.weights.prefixed("weights"))
    next.merge(updated.state.prefixed("optimizer"))
    if recipe.smoothing > 0 {
      let young = (count + 1) / (count + 10)
      let smooth = state.group("smooth").averaged(
        with: updated.weights, rate: young.minimum(recipe.smoothing))
      next.merge(smooth.prefixed("smooth"))
    }
    next["step"] = step + 1
    var metrics = loss.metrics
    metrics["gradient_norm"] = norm
    metrics["rate"] = rate
    next.merge(metrics.prefixed("metrics"))
    return next
  }

  private func loss(
    _ state: Named<Tensor>, _ target: Named<Tensor>, _ batch: Named<Tensor>, _ keys: [Key]
  ) throws -> Loss {
    let (weights, frozen) = (state.group("weights"), state.group("frozen"))
    let (samples, labels) = (batch["samples"]!, batch["labels"]!)
    let objective: any Objective
    switch recipe.objective {
    case .classification:
      guard case .classifier(let config) = recipe.model else {
        preconditionFailure("classification needs a classifier")
      }
      let logits = Scope.bind(weights) { Classifier($0, config) }(samples).logits
      let total = logits.crossEntropy(labels).mean()
      let hits = logits.argmax().equal(labels).cast(to: .float32).mean()
      return Loss(
        total: total, metrics: Named([("loss", total), ("accuracy", hits)]), details: Named())
    case .twinFlow(let settings): objective = try TwinFlow(settings, batch: recipe.batch)
    case .tutorial(let settings): objective = TutorialTwinFlow(settings)
    }
    let none = labels.zerosLike + Double(recipe.model.sample.classes)
    var given = labels
    if recipe.conditionDropout > 0 {
      given = keys[1].bernoulli(recipe.conditionDropout, labels.shape).select(none, labels)
    }
    let bind = { (weights: Named<Tensor>, adapters: Adapters?) in
      recipe.model.velocityModel(frozen.merging(weights), adapters: adapters)!
    }
    let networks = Networks(
      live: bind(weights, recipe.adapters),
      target: bind(target, averageRate == 1 ? nil : recipe.adapters))
    let all = Samples(
      data: samples, condition: Named([("label", given)]),
      unconditional: Named([("label", none)]))
    return objective(networks, all, key: keys[0])
  }
}
