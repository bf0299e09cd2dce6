extension Tensor {
  /// Mean 0 and variance 1 over axes, computed in f32 at least.
  public func normalized(_ axes: [Int] = [-1], epsilon: Double = 1e-5) -> Tensor {
    let x = wide
    let centred = x - x.mean(axes, keep: true)
    return (centred * (centred.squared().mean(axes, keep: true) + epsilon).rsqrt()).cast(to: dtype)
  }

  /// Mean square 1 along axes, computed in f32 at least.
  public func rmsNormalized(_ axes: [Int] = [-1], epsilon: Double = 1e-6) -> Tensor {
    let x = wide
    return (x * (x.squared().mean(axes, keep: true) + epsilon).rsqrt()).cast(to: dtype)
  }

  /// Mean 0 and variance 1 within groups of channels and over all spatial axes of
  /// `[batch, spatial…, channels]`.
  public func groupNormalized(_ groups: Int, epsilon: Double = 1e-5) -> Tensor {
    let channels = shape[-1]
    precondition(channels % groups == 0, "\(channels) channels do not make \(groups) groups")
    let parts = reshape([shape[0], -1, groups, channels / groups])
    return parts.normalized([1, 3], epsilon: epsilon).reshape(shape)
  }
}
