import Tensors

/// Gradient descent, with momentum if asked for.
public struct SGD: Optimizer {
  /// The part of the last direction that is kept, as in PyTorch: `v ← momentum·v + g`.
  public var momentum: Double
  /// The part of a weight that is added to its gradient.
  public var weightDecay: Double

  /// Makes the rule.
  public init(momentum: Double = 0, weightDecay: Double = 0) {
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  /// The last direction of every weight, `first.*`; nothing without momentum.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    momentum == 0
      ? Named() : weights.mapValues { $0.cast(to: .float32) }.prefixed("first")
  }

  /// One step, see `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>, rate: Tensor,
    step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    var (newWeights, newState) = (weights, state)
    for (name, weight) in weights.pairs {
      var direction = gradients[name]!.cast(to: .float32)
      if weightDecay != 0 { direction = direction + weight * weightDecay }
      if momentum != 0 {
        direction = state["first.\(name)"]! * momentum + direction
        newState["first.\(name)"] = direction
      }
      newWeights[name] = weight - rate * direction
    }
    return (newWeights, newState)
  }
}
