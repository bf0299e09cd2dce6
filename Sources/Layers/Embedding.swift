import Tensors

/// Learned vectors by number.
public struct Embedding {
  let weight: Tensor

  /// Makes `count` vectors of a width.
  public init(_ scope: Scope, count: Int, width: Int, initial: Initializer = .normal(0.02)) {
    weight = scope.weight("weight", [count, width], initial, axes: [nil, .embed])
  }

  /// Whole numbers of any shape to vectors along a new last axis.
  public func callAsFunction(_ indices: Tensor) -> Tensor { weight.take(indices) }

  /// The inner product of states `[batch, width]` with each vector, `[batch, count]`, in f32 at least: the
  /// map to logits of language models that share it with their embedding.
  public func logits(_ states: Tensor) -> Tensor {
    states.dot(weight.cast(to: states.dtype), contracting: ([1], [1])).wide
  }
}
