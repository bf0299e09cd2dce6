import Tensors

/// An optimizer: what turns gradients into new weights.
///
/// Optimizers are graph functions: state goes in and comes out. All of it is in f32.
public protocol Optimizer: Sendable {
  /// The arrays that the optimizer keeps for weights, all 0 at first; each is sharded as its weight.
  func state(for weights: Named<ArraySpec>) -> Named<ArraySpec>

  /// New weights and new state.
  ///
  /// - Parameters:
  ///   - weights: the weights to be changed, as the gradients in f32.
  ///   - state: what the last update returned; zeros before the first.
  ///   - rate: the learning rate, a scalar.
  ///   - step: how many updates came before this one, a scalar in f32.
  func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>, rate: Tensor,
    step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>)
}

extension Named<Tensor> {
  /// The root of the sum of all squares, in f32.
  public func globalNorm() -> Tensor {
    values.map { $0.wide.squared().sum().cast(to: .float32) }.reduce(.constant(0.0, .float32), +)
      .sqrt()
  }

  /// These values scaled down so that their global norm is at most `limit`, and the norm before.
  public func clipped(toNorm limit: Double) -> (values: Named<Tensor>, norm: Tensor) {
    let norm = globalNorm()
    let scale = (limit / (norm + 1e-6)).minimum(1)
    return (mapValues { $0 * scale.cast(to: $0.dtype) }, norm)
  }
}
