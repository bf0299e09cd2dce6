import Tensors

/// An affine map of the last axis.
public struct Linear {
  let weight: Tensor
  let bias: Tensor?
  let adapter: LowRank?

  /// Makes a map from `input` to `output` features. The weight is stored as `[output, input]`.
  ///
  /// - Parameters:
  ///   - parts: how many maps there are of the same input, such as those to queries, keys and values;
  ///     the weight of several is stored as `[parts, output, input]`, and the result has a further
  ///     axis for them before the last one.
  ///   - from: what the input's features stand for, which says how weights are split over devices.
  ///   - to: what the output's features stand for.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, parts: Int? = nil, bias: Bool = true,
    initial: Initializer? = nil, initialBias: Initializer = .zeros,
    from: LogicalAxis? = nil, to: LogicalAxis? = nil
  ) {
    let outputs = (parts.map { [$0] } ?? []) + [output]
    let leading: [LogicalAxis?] = parts == nil ? [] : [nil]
    let all = outputs.reduce(1, *)
    weight = scope.weight(
      "weight", Shape(outputs + [input]), initial ?? .xavier(input, all),
      axes: leading + [to, from])
    self.bias =
      bias ? scope.weight("bias", Shape(outputs), initialBias, axes: leading + [to]) : nil
    adapter = scope.lowRank(input, all, from: from, to: parts == nil ? to : nil)
  }

  /// `[…, input]` to `[…, output]`, in the input's element type.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let rows = x.reshape([-1, x.shape[-1]])
    var product = rows.dot(weight.cast(to: x.dtype), contracting: ([1], [-1]))
    if let adapter { product = product + adapter(rows).reshape(product.shape) }
    let y = bias.map { product + $0.cast(to: x.dtype) } ?? product
    return y.reshape(Shape(Array(x.shape.sizes.dropLast()) + weight.shape.sizes.dropLast()))
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
