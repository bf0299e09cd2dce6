import Tensors

/// Stochastic gradient descent, with optional momentum.
public struct SGD: Optimizer {
  /// The factor of the last direction, as in PyTorch: `v ← momentum·v + g`.
  public var momentum: Double
  /// The factor of each weight that is added to its gradient.
  public var weightDecay: Double

  /// Makes the optimizer.
  public init(momentum: Double = 0, weightDecay: Double = 0) {
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  /// The last direction of every weight, `first.*`; nothing without momentum.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    momentum == 0
      ? Named() : weights.mapValues { $0.cast(to: .float32) }.prefixed("first")
  }

  /// See `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>,
    learningRate: Tensor, step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    var (newWeights, newState) = (weights, state)
    for (name, weight) in weights.pairs {
      var direction = gradients[name]!.cast(to: .float32)
      if weightDecay != 0 { direction = direction + weight * weightDecay }
      if momentum != 0 {
        direction = state["first.\(name)"]! * momentum + direction
        newState["first.\(name)"] = direction
      }
      newWeights[name] = weight - learningRate * direction
    }
    return (newWeights, newState)
  }
}
