import Foundation
import Tensors

/// Adam with decoupled weight decay: Kingma and Ba, 2015; Loshchilov and Hutter, 2019.
public struct AdamW: Optimizer {
  /// The decay of the first moment, the average of the gradients.
  public var beta1: Double
  /// The decay of the second moment, the average of the squared gradients.
  public var beta2: Double
  /// The constant added to the root of the second moment.
  public var epsilon: Double
  /// The decoupled weight decay, per unit of learning rate; 0 makes it Adam.
  public var weightDecay: Double

  /// Makes the optimizer.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// Both moments of every weight, `first.*` and `second.*`.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    moments(of: weights)
  }

  /// See `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>,
    learningRate: Tensor, step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    let count = step + 1
    let (correction1, correction2) = (correction(beta1, count), correction(beta2, count))
    var (newWeights, newState) = (weights, state)
    for (name, weight) in weights.pairs {
      let gradient = gradients[name]!.cast(to: .float32)
      let (first, second) = momentUpdate(name, gradient, state, beta1, beta2)
      let direction = (first / correction1) / ((second / correction2).sqrt() + epsilon)
      newWeights[name] = weight * (1 - learningRate * weightDecay) - learningRate * direction
      newState["first.\(name)"] = first
      newState["second.\(name)"] = second
    }
    return (newWeights, newState)
  }
}

/// Adam with a rectified step while the second moment averages few gradients: Liu and others, 2020.
public struct RAdam: Optimizer {
  /// The decay of the first moment, the average of the gradients.
  public var beta1: Double
  /// The decay of the second moment, the average of the squared gradients.
  public var beta2: Double
  /// The constant added to the root of the second moment.
  public var epsilon: Double
  /// The decoupled weight decay, per unit of learning rate.
  public var weightDecay: Double

  /// Makes the optimizer.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// Both moments of every weight, `first.*` and `second.*`.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    moments(of: weights)
  }

  /// See `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>,
    learningRate: Tensor, step: Tensor
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
      let decayed = weight * (1 - learningRate * weightDecay)
      newWeights[name] = decayed - learningRate * ready.select(adaptive, mean)
      newState["first.\(name)"] = first
      newState["second.\(name)"] = second
    }
    return (newWeights, newState)
  }
}

/// The bias correction 1 − βⁿ, accurate where βⁿ is near 1.
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
