import Tensors

/// An affine map of the last axis.
public struct Linear {
  let weight: Tensor
  let bias: Tensor?
  let adapter: LowRank?

  /// Makes a map from `input` to `output` features. The weight is stored as `[output, input]`.
  ///
  /// - Parameters:
  ///   - from: what the input's features stand for, which says how weights are split over devices.
  ///   - to: what the output's features stand for.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, bias: Bool = true,
    initial: Initializer? = nil, initialBias: Initializer = .zeros,
    from: LogicalAxis? = nil, to: LogicalAxis? = nil
  ) {
    weight = scope.weight(
      "weight", [output, input], initial ?? .xavier(input, output), axes: [to, from])
    self.bias = bias ? scope.weight("bias", [output], initialBias, axes: [to]) : nil
    adapter = scope.lowRank(input, output, from: from, to: to)
  }

  /// `[…, input]` to `[…, output]`, in the input's element type.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let rows = x.reshape([-1, x.shape[-1]])
    var product = rows.dot(weight.cast(to: x.dtype), contracting: ([1], [1]))
    if let adapter { product = product + adapter(rows) }
    let y = bias.map { product + $0.cast(to: x.dtype) } ?? product
    return y.reshape(x.shape.replacing(-1, with: weight.shape[0]))
  }
}

/// Learned vectors by number.
public struct Embedding {
  let weight: Tensor

  /// Makes `count` vectors of a width.
  public init(_ scope: Scope, count: Int, width: Int, initial: Initializer = .normal(0.02)) {
    weight = scope.weight("weight", [count, width], initial, axes: [nil, .embed])
  }

  /// Whole numbers of any shape to vectors along a new last axis.
  public func callAsFunction(_ indices: Tensor) -> Tensor { weight.take(indices) }
}
