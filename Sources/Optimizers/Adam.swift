import Foundation
import Tensors

/// Adam with decoupled weight decay: Kingma and Ba, 2015; Loshchilov and Hutter, 2019.
public struct AdamW: Optimizer {
  /// The rate of the gradients' average.
  public var beta1: Double
  /// The rate of the squared gradients' average.
  public var beta2: Double
  /// Added to the root of the squares.
  public var epsilon: Double
  /// The part of a weight that is taken off per unit of learning rate; 0 makes it Adam.
  public var weightDecay: Double

  /// Makes the rule.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// Both averages of every weight, `first.*` and `second.*`.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    moments(of: weights)
  }

  /// One step, see `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>, rate: Tensor,
    step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    let count = step + 1
    let (correction1, correction2) = (correction(beta1, count), correction(beta2, count))
    var (newWeights, newState) = (weights, state)
    for (name, weight) in weights.pairs {
      let gradient = gradients[name]!.cast(to: .float32)
      let (first, second) = momentUpdate(name, gradient, state, beta1, beta2)
      let direction = (first / correction1) / ((second / correction2).sqrt() + epsilon)
      newWeights[name] = weight * (1 - rate * weightDecay) - rate * direction
      newState["first.\(name)"] = first
      newState["second.\(name)"] = second
    }
    return (newWeights, newState)
  }
}

/// Adam whose step is rectified while the squares' average is young: Liu and others, 2020.
public struct RAdam: Optimizer {
  /// The rate of the gradients' average.
  public var beta1: Double
  /// The rate of the squared gradients' average.
  public var beta2: Double
  /// Added to the root of the squares.
  public var epsilon: Double
  /// The part of a weight that is taken off per unit of learning rate, decoupled.
  public var weightDecay: Double

  /// Makes the rule.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// Both averages of every weight, `first.*` and `second.*`.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    moments(of: weights)
  }

  /// One step, see `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>, rate: Tensor,
    step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    let count = step + 1
    let (correction1, correction2) = (correction(beta1, count), correction(beta2, count))
    let longest = 2 / (1 - beta2) - 1
    let length = longest - 2 * count * (1 - correction2) / correction2
    let ready = length.greater(5)
    let safe = length.maximum(5)
    let rectification =
      ((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)).sqrt()
    var (newWeights, newState) = (weights, state)
    for (name, weight) in weights.pairs {
      let gradient = gradients[name]!.cast(to: .float32)
      let (first, second) = momentUpdate(name, gradient, state, beta1, beta2)
      let mean = first / correction1
      let adaptive = rectification * correction2.sqrt() * mean / (second.sqrt() + epsilon)
      newWeights[name] = weight * (1 - rate * weightDecay) - rate * ready.select(adaptive, mean)
      newState["first.\(name)"] = first
      newState["second.\(name)"] = second
    }
    return (newWeights, newState)
  }
}

/// 1 − βⁿ, which for a young average is the small difference of two numbers near 1.
private func correction(_ beta: Double, _ count: Tensor) -> Tensor {
  beta == 0 ? count.zerosLike + 1 : -(count * log(beta)).expm1()
}

private func moments(of weights: Named<ArraySpec>) -> Named<ArraySpec> {
  let specs = weights.mapValues { $0.cast(to: .float32) }
  return specs.prefixed("first").merging(specs.prefixed("second"))
}

private func momentUpdate(
  _ name: String, _ gradient: Tensor, _ state: Named<Tensor>, _ beta1: Double, _ beta2: Double
) -> (first: Tensor, second: Tensor) {
  let first = state["first.\(name)"]! * beta1 + gradient * (1 - beta1)
  let second = state["second.\(name)"]! * beta2 + gradient.squared() * (1 - beta2)
  return (first, second)
}
