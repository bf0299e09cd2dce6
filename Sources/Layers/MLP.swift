import Tensors

/// Two affine maps with an activation between them.
public struct MLP {
  let input: Linear
  let output: Linear
  let activation: @Sendable (Tensor) -> Tensor

  /// Makes a perceptron `width → hidden → out`.
  public init(
    _ scope: Scope, _ width: Int, hidden: Int, _ out: Int, initial: Initializer? = nil,
    activation: @escaping @Sendable (Tensor) -> Tensor
  ) {
    input = Linear(scope / "input", width, hidden, initial: initial)
    output = Linear(scope / "output", hidden, out, initial: initial)
    self.activation = activation
  }

  /// Makes a perceptron of two maps.
  public init(
    _ input: Linear, _ output: Linear, activation: @escaping @Sendable (Tensor) -> Tensor
  ) {
    self.input = input
    self.output = output
    self.activation = activation
  }

  /// Maps the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor { output(activation(input(x))) }
}
