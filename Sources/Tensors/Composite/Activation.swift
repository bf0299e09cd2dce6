extension Tensor {
  /// The larger of this and zero.
  public func relu() -> Tensor { maximum(0) }

  /// x · σ(x), also called swish.
  public func silu() -> Tensor { self * sigmoid() }

  /// x · Φ(x), computed with the error function or with its usual tanh approximation.
  public func gelu(approximate: Bool = false) -> Tensor {
    if approximate {
      let inner = (self + 0.044715 * self * self * self) * (2 / Double.pi).squareRoot()
      return 0.5 * self * (1 + inner.tanh())
    }
    return 0.5 * self * (1 + (self * 0.5.squareRoot()).erf())
  }

  /// x · σ(1.702 x), the approximation of GELU that CLIP uses: Hendrycks and Gimpel, 2016.
  public func quickGELU() -> Tensor { self * (self * 1.702).sigmoid() }

  /// log(1 + eˣ) without overflow.
  public func softplus() -> Tensor { maximum(0) + (-abs()).exp().log1p() }
}
