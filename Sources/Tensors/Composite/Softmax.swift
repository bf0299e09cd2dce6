extension Tensor {
  /// The softmax along an axis, computed in f32 or wider.
  public func softmax(_ axis: Int = -1) -> Tensor {
    let x = wide
    let exponentials = (x - x.max([axis], keep: true).stopGradient()).exp()
    return (exponentials / exponentials.sum([axis], keep: true)).cast(to: dtype)
  }

  /// The logarithm of the softmax along an axis, computed in f32 or wider.
  public func logSoftmax(_ axis: Int = -1) -> Tensor {
    let x = wide
    let shifted = x - x.max([axis], keep: true).stopGradient()
    return (shifted - shifted.exp().sum([axis], keep: true).log()).cast(to: dtype)
  }

  /// This tensor in f32 if it is in half precision.
  public var wide: Tensor { dtype == .float64 ? self : cast(to: .float32) }
}
