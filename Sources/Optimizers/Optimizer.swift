import Tensors

/// An optimizer: a graph function from weights, gradients and state to new weights and state.
///
/// All of them are in f32.
public protocol Optimizer: Sendable {
  /// The state for weights, initially 0; each array is sharded like its weight.
  func state(for weights: Named<ArraySpec>) -> Named<ArraySpec>

  /// The new weights and state.
  ///
  /// - Parameters:
  ///   - weights: the weights, in f32.
  ///   - state: the state that the last update returned; zeros for the first.
  ///   - learningRate: the learning rate, a scalar.
  ///   - step: the number of updates before this one, a scalar in f32.
  func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>,
    learningRate: Tensor, step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>)
}

extension Named<Tensor> {
  /// The norm of all values together, in f32.
  public func globalNorm() -> Tensor {
    values.map { $0.wide.squared().sum().cast(to: .float32) }.reduce(.constant(0.0, .float32), +)
      .sqrt()
  }

  /// The values scaled so that their global norm is at most `limit`, and the norm before.
  public func clipped(toNorm limit: Double) -> (values: Named<Tensor>, norm: Tensor) {
    let norm = globalNorm()
    let scale = (limit / (norm + 1e-6)).minimum(1)
    return (mapValues { $0 * scale.cast(to: $0.dtype) }, norm)
  }
}
