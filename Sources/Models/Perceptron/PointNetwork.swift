import Flow
import Layers
import Tensors

/// A residual MLP for points: each block adds the output of a small MLP to the state, shifted by
/// the features of the times. It is unconditional.
///
/// The times' features are `E₁(t) + E₂(tt)·(t − tt)`, as in the diffusion transformer.
public struct PointNetwork: VelocityModel {
  private let config: PointNetworkConfig
  private let time: MLP
  private let target: MLP
  private let input: LinearMap
  private let blocks: [(norm: LayerNorm, shift: LinearMap, mlp: MLP)]
  private let norm: LayerNorm
  private let output: LinearMap
  private let twinOutput: LinearMap?

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: PointNetworkConfig) {
    self.config = config
    let width = config.width
    time = MLP(scope / "time", config.frequencies, hidden: width, width) { $0.silu() }
    target = MLP(scope / "target", config.frequencies, hidden: width, width) { $0.silu() }
    input = scope.linear("input", config.features, width, to: .embed)
    blocks = (0..<config.depth).map { i in
      let block = scope / "blocks" / i
      return (
        LayerNorm(block / "norm", width, affine: false),
        block.linear("shift", width, width, from: .embed, to: .hidden),
        MLP(block / "mlp", width, hidden: 2 * width, width, from: .embed) { $0.silu() }
      )
    }
    norm = LayerNorm(scope / "norm", width, affine: false)
    let head = { (scope: Scope) in
      scope.linear("output", width, config.features, initial: .zeros, from: .embed)
    }
    output = head(scope)
    twinOutput = config.hasTwinHead ? head(scope / TwinHead.name) : nil
  }

  /// - Parameters:
  ///   - x: points `[batch, features]`.
  ///   - condition: ignored.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let normed = norm(states(x, t, tt).last!)
    return output(normed).replaced(onTwinOf: t, by: twinOutput?(normed))
  }

  /// The values after each block.
  private func states(_ x: Tensor, _ t: Tensor, _ tt: Tensor) -> [Tensor] {
    let embed = { (mlp: MLP, time: Tensor) in
      mlp((time.cast(to: .float32) * config.timeScale).sinusoidal(config.frequencies))
    }
    let gap = (t - tt).cast(to: .float32).expanded([1])
    let signal = (embed(time, t) + embed(target, tt) * gap).silu().cast(to: x.dtype)
    var states = [input(x)]
    for block in blocks {
      let h = states.last!
      states.append(h + block.mlp(block.norm(h) + block.shift(signal)))
    }
    return Array(states.dropFirst())
  }
}

extension PointNetwork: FeatureModel {
  /// The values after chosen blocks, one token each.
  public func features(
    after layers: [Int], _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    let states = states(x, t, tt)
    return layers.map { states[$0].expanded([1]) }
  }
}

extension PointNetworkConfig: FeatureArchitecture {
  /// The width of the values.
  public var featureWidth: Int { width }
  /// The number of blocks.
  public var featureLayers: Int { depth }
}
