import Flow
import Layers
import Tensors

/// A critic on the features after some layers of a network: each has a head of its own, a norm and two
/// linear maps on every token, as in "Fast high-resolution image synthesis with latent adversarial diffusion
/// distillation", Sauer and others, 2024, with linear maps in place of convolutions.
public struct FeatureCritic: Critic {
  private let heads: [(norm: LayerNorm, input: LinearMap, output: LinearMap)]

  /// Binds the critic's weights.
  ///
  /// - Parameter width: that of the features.
  public init(_ scope: Scope, _ shape: CriticHeads, width: Int) {
    heads = shape.layers.indices.map { number in
      let head = scope / "heads" / number
      return (
        LayerNorm(head / "norm", width, affine: false),
        head.linear("input", width, shape.hidden, from: .embed, to: .hidden),
        head.linear("output", shape.hidden, 1, from: .hidden)
      )
    }
  }

  /// - Parameter features: `[batch, tokens, width]` for each head.
  /// - Returns: `[batch, heads · tokens]`.
  public func callAsFunction(_ features: [Tensor]) -> Tensor {
    precondition(features.count == heads.count, "\(heads.count) heads got \(features.count)")
    return .concatenate(
      zip(heads, features).map { head, values in
        head.output(head.input(head.norm(values)).silu()).reshape([values.shape[0], -1])
      }, axis: 1)
  }
}

/// An architecture whose layers' features a critic can be put on.
public protocol FeatureArchitecture: Architecture {
  /// The width of the features.
  var featureWidth: Int { get }
  /// The number of layers.
  var featureLayers: Int { get }
}

extension ModelConfig {
  /// The width and the number of the layers whose features a critic can be put on; nil where the network
  /// has none.
  public var features: (width: Int, layers: Int)? {
    (architecture as? any FeatureArchitecture).map { ($0.featureWidth, $0.featureLayers) }
  }

  /// The weights of a critic on the network's features.
  public func weights(of critic: CriticHeads) -> Named<ParameterSpec> {
    guard let features else { preconditionFailure("\(kind) has no features") }
    return Scope.declare { FeatureCritic($0, critic, width: features.width) }
  }

  /// A critic on the network's features, bound to weights.
  public func critic(_ critic: CriticHeads, _ weights: Named<Tensor>) -> any Critic {
    guard let features else { preconditionFailure("\(kind) has no features") }
    return Scope.bind(weights) { FeatureCritic($0, critic, width: features.width) }
  }
}
