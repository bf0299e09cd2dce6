import Tensors

/// Two maps of the input, of which one is activated and multiplied with the other, and a map of their
/// product: Shazeer, "GLU variants improve transformer", 2020.
public struct GatedMLP {
  /// What the maps are called in a checkpoint.
  public struct Names: Sendable {
    /// The map that is activated.
    let gate: String
    /// The map that is not.
    let up: String
    /// The map of the product.
    let down: String

    /// Makes names.
    public init(gate: String, up: String, down: String) {
      (self.gate, self.up, self.down) = (gate, up, down)
    }

    /// Those of Llama, Qwen and Gemma.
    public static let llama = Names(gate: "gate_proj", up: "up_proj", down: "down_proj")
  }

  let gate: LinearMap
  let up: LinearMap
  let down: LinearMap
  let activation: Activation

  /// Makes maps `width → hidden → width`.
  ///
  /// - Parameter bias: whether the maps have one.
  public init(
    _ scope: Scope, _ width: Int, hidden: Int, names: Names = .llama, bias: Bool = false,
    activation: Activation
  ) {
    gate = scope.linear(names.gate, width, hidden, bias: bias, from: .embed, to: .hidden)
    up = scope.linear(names.up, width, hidden, bias: bias, from: .embed, to: .hidden)
    down = scope.linear(names.down, hidden, width, bias: bias, from: .hidden, to: .embed)
    self.activation = activation
  }

  /// Maps the last axis of values whose first one is the batch.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let inner = [LogicalAxis?](repeating: nil, count: x.rank - 2)
    let hidden = (activation(gate(x)) * up(x)).sharded(Sharding([.batch] + inner + [.hidden]))
    return down(hidden)
  }
}
