extension Tensor {
  /// The values normalized to mean 0 and variance 1 over axes, computed in f32 or wider.
  public func normalized(_ axes: [Int] = [-1], epsilon: Double = 1e-5) -> Tensor {
    let x = wide
    let centered = x - x.mean(axes, keep: true)
    return (centered * (centered.squared().mean(axes, keep: true) + epsilon).rsqrt()).cast(
      to: dtype)
  }

  /// The values normalized to mean square 1 over axes, computed in f32 or wider.
  public func rmsNormalized(_ axes: [Int] = [-1], epsilon: Double = 1e-6) -> Tensor {
    let x = wide
    return (x * (x.squared().mean(axes, keep: true) + epsilon).rsqrt()).cast(to: dtype)
  }

  /// The values of `[batch, spatial…, channels]` normalized to mean 0 and variance 1 within groups
  /// of channels and over all spatial axes.
  public func groupNormalized(_ groups: Int, epsilon: Double = 1e-5) -> Tensor {
    let channels = shape[-1]
    precondition(
      channels % groups == 0, "\(channels) channels cannot be divided into \(groups) groups")
    let grouped = reshape([shape[0], -1, groups, channels / groups])
    return grouped.normalized([1, 3], epsilon: epsilon).reshape(shape)
  }
}
