import Tensors

/// A network that can return what it passes between its layers.
public protocol FeatureModel: VelocityModel {
  /// The values after chosen layers, `[batch, tokens, width]` each, in the order of the layers.
  ///
  /// - Parameters:
  ///   - layers: the layers, from 0.
  ///   - x: as of an evaluation, like what follows.
  func features(
    after layers: [Int], _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> [Tensor]
}

/// A network that tells real samples from made ones by features.
public protocol Critic {
  /// Logits `[batch, …]`, which are high for real samples.
  func callAsFunction(_ features: [Tensor]) -> Tensor
}

/// A critic of an objective: a small head on the features after each of some layers of another network.
public struct CriticHeads: Hashable, Sendable {
  /// The layers, from 0.
  public let layers: [Int]
  /// The hidden width of a head.
  public let hidden: Int

  /// Describes a critic.
  public init(layers: [Int], hidden: Int) { (self.layers, self.hidden) = (layers, hidden) }
}

/// The losses of a critic and of the generator against it.
enum AdversarialLoss {
  /// `softplus(−D(made))`: Goodfellow and others, 2014, the generator's not saturating form.
  static func generator(_ made: Tensor) -> Tensor { softplus(-made.wide).mean() }

  /// `softplus(D(made)) + softplus(−D(real))`.
  static func critic(real: Tensor, made: Tensor) -> Tensor {
    softplus(made.wide).mean() + softplus(-real.wide).mean()
  }

  /// `log(1 + eˣ)`, without overflow.
  private static func softplus(_ x: Tensor) -> Tensor {
    x.maximum(0) + (-x.abs()).exp().log1p()
  }
}
