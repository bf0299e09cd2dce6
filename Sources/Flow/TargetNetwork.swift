import Tensors

/// The network that an objective's targets come from.
public enum TargetNetwork: Hashable, Sendable {
  /// The network itself, as it is.
  case live
  /// The network before training.
  case initial
  /// An exponential moving average of the network's weights with a decay within (0, 1).
  case average(decay: Double)

  /// The target network of a recipe's number: 0 is the live network, 1 the initial one.
  public init(emaDecay: Double) {
    switch emaDecay {
    case ...0: self = .live
    case 1...: self = .initial
    default: self = .average(decay: emaDecay)
    }
  }
}

/// An exponential moving average whose decay rises from 0 to its final value by half of what is left in
/// each step, as published: the average of the first steps follows the weights closely.
public struct RampedAverage<Leaf> {
  /// The averaged weights.
  public var weights: Named<Leaf>
  /// The decay of the next step, a scalar.
  public var decay: Leaf

  /// Makes an average of its parts.
  public init(weights: Named<Leaf>, decay: Leaf) {
    (self.weights, self.decay) = (weights, decay)
  }
}

extension RampedAverage: Sendable where Leaf: Sendable {}

extension RampedAverage<Tensor> {
  /// The average before the first step.
  public init(of weights: Named<Tensor>) {
    self.init(weights: weights, decay: .constant(0, .float32))
  }

  /// The average after a step with the weights before it.
  public func updated(with live: Named<Tensor>, decay final: Double) -> Self {
    RampedAverage(
      weights: weights.averaged(with: live, rate: decay),
      decay: decay + (1 - decay) * (final - decay) * 0.5)
  }
}

extension Named<Tensor> {
  /// `rate · self + (1 − rate) · other`: one step of an exponential moving average.
  public func averaged(with other: Named<Tensor>, rate: Tensor) -> Named<Tensor> {
    map { name, value in
      guard let new = other[name] else {
        preconditionFailure("the average has a weight \(name) that the network has not")
      }
      let rate = rate.cast(to: value.dtype)
      return value * rate + new.cast(to: value.dtype) * (1 - rate)
    }
  }
}
