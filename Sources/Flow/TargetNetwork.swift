import Tensors

/// The network that computes the targets of an objective.
public enum TargetNetwork: Hashable, Sendable {
  /// The trained network itself.
  case live
  /// The network before training.
  case initial
  /// An exponential moving average of the network's weights with a decay within (0, 1).
  case average(decay: Double)

  /// The target network for a decay: 0 is the live network, 1 the initial one.
  public init(emaDecay: Double) {
    switch emaDecay {
    case ...0: self = .live
    case 1...: self = .initial
    default: self = .average(decay: emaDecay)
    }
  }
}

/// An exponential moving average whose decay rises from 0 to its final value, as published: the
/// average follows the weights closely in the first steps.
public struct RampedAverage<Leaf> {
  /// The averaged weights.
  public var weights: Named<Leaf>
  /// The decay of the next step, a scalar.
  public var decay: Leaf

  /// Makes an average from weights and a decay.
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

  /// The average, updated with the weights before a step.
  public func updated(with live: Named<Tensor>, decay final: Double) -> Self {
    RampedAverage(
      weights: weights.averaged(with: live, decay: decay),
      decay: decay + (1 - decay) * (final - decay) * 0.5)
  }
}

extension Named<Tensor> {
  /// `decay · self + (1 − decay) · other`: one step of an exponential moving average.
  public func averaged(with other: Named<Tensor>, decay: Tensor) -> Named<Tensor> {
    map { name, value in
      guard let new = other[name] else {
        preconditionFailure("the average has a weight \(name) that the network does not have")
      }
      let decay = decay.cast(to: value.dtype)
      return value * decay + new.cast(to: value.dtype) * (1 - decay)
    }
  }
}
