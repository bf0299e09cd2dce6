import Tensors

/// Two affine maps with an activation between them.
public struct MLP {
  let input: LinearMap
  let output: LinearMap
  let activation: @Sendable (Tensor) -> Tensor

  /// Makes an MLP `width → hidden → out`.
  ///
  /// - Parameters:
  ///   - from: the logical axis of the input's features, by which weights are sharded over devices.
  ///   - to: the logical axis of the output's features.
  public init(
    _ scope: Scope, _ width: Int, hidden: Int, _ out: Int, initial: Initializer? = nil,
    from: LogicalAxis? = nil, to: LogicalAxis? = .embed,
    activation: @escaping @Sendable (Tensor) -> Tensor
  ) {
    input = scope.linear("input", width, hidden, initial: initial, from: from, to: .hidden)
    output = scope.linear("output", hidden, out, initial: initial, from: .hidden, to: to)
    self.activation = activation
  }

  /// Makes an MLP of two maps.
  public init(
    _ input: LinearMap, _ output: LinearMap, activation: @escaping @Sendable (Tensor) -> Tensor
  ) {
    self.input = input
    self.output = output
    self.activation = activation
  }

  /// Maps the last axis of values whose first one is the batch.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let inner = [LogicalAxis?](repeating: nil, count: x.rank - 2)
    let hidden = activation(input(x)).sharded(Sharding([.batch] + inner + [.hidden]))
    return output(hidden)
  }
}
