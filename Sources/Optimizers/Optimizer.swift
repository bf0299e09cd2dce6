import Tensors

/// A rule that turns gradients into new weights.
///
/// Rules are graph functions: state goes in and comes out. All of it is in f32.
public protocol Optimizer: Sendable {
  /// The state that the rule keeps for weights of these types.
  func state(for weights: Named<TensorType>) -> Named<TensorType>

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
