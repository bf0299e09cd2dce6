import Tensors

/// Layer normalization of the last axis: Ba, Kiros and Hinton, 2016.
public struct LayerNorm {
  let weight: Tensor?
  let bias: Tensor?
  let epsilon: Double

  /// Makes a norm; without `affine` it has no weights.
  public init(_ scope: Scope, _ width: Int, affine: Bool = true, epsilon: Double = 1e-6) {
    weight = affine ? scope.weight("weight", [width], .ones) : nil
    bias = affine ? scope.weight("bias", [width], .zeros) : nil
    self.epsilon = epsilon
  }

  /// Normalizes the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = x.normalized([-1], epsilon: epsilon)
    guard let weight, let bias else { return y }
    return y * weight.cast(to: x.dtype) + bias.cast(to: x.dtype)
  }
}

/// Root-mean-square normalization of the last axis: Zhang and Sennrich, 2019.
public struct RMSNorm {
  let weight: Tensor
  let bias: Tensor?
  let epsilon: Double

  /// Makes a norm with a weight for each of `width` features, and with a bias where one is asked for.
  public init(_ scope: Scope, _ width: Int, epsilon: Double = 1e-6, bias: Bool = false) {
    weight = scope.weight("weight", [width], .ones)
    self.bias = bias ? scope.weight("bias", [width], .zeros) : nil
    self.epsilon = epsilon
  }

  /// Normalizes the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = x.rmsNormalized(epsilon: epsilon) * weight.cast(to: x.dtype)
    return bias.map { y + $0.cast(to: x.dtype) } ?? y
  }
}

/// Batch normalization of the last axis by the statistics of training: Ioffe and Szegedy, 2015.
public struct BatchNorm {
  let weight, bias, mean, variance: Tensor
  let epsilon: Double

  /// Makes a norm of `width` features.
  public init(_ scope: Scope, _ width: Int, epsilon: Double = 1e-5) {
    weight = scope.weight("weight", [width], .ones)
    bias = scope.weight("bias", [width], .zeros)
    mean = scope.weight("running_mean", [width], .zeros)
    variance = scope.weight("running_var", [width], .ones)
    self.epsilon = epsilon
  }

  /// Whether an array of a published file belongs to no weight: counts of training batches do not.
  public static func ignores(_ name: String) -> Bool { name.hasSuffix(".num_batches_tracked") }

  /// Normalizes the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let factor = weight.wide * (variance.wide + epsilon).rsqrt()
    return (x.wide * factor + (bias.wide - mean.wide * factor)).cast(to: x.dtype)
  }
}

/// Root-mean-square normalization whose factor is 1 + weight: Gemma Team, 2024.
///
/// The factor is applied in f32, before the result is rounded to the input's element type.
public struct ZeroCenteredRMSNorm {
  let weight: Tensor
  let epsilon: Double

  /// Makes a norm with a weight for each of `width` features.
  public init(_ scope: Scope, _ width: Int, epsilon: Double = 1e-6) {
    weight = scope.weight("weight", [width], .zeros)
    self.epsilon = epsilon
  }

  /// Normalizes the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let wide = x.wide
    return (wide.rmsNormalized(epsilon: epsilon) * (1 + weight.cast(to: wide.dtype)))
      .cast(to: x.dtype)
  }
}

/// Group normalization of `[batch, spatial…, channels]`: Wu and He, 2018.
public struct GroupNorm {
  let weight: Tensor
  let bias: Tensor
  let groups: Int
  let epsilon: Double

  /// Makes a norm of `channels` in `groups`.
  public init(_ scope: Scope, groups: Int, channels: Int, epsilon: Double = 1e-5) {
    weight = scope.weight("weight", [channels], .ones)
    bias = scope.weight("bias", [channels], .zeros)
    self.groups = groups
    self.epsilon = epsilon
  }

  /// Normalizes within groups.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.groupNormalized(groups, epsilon: epsilon) * weight.cast(to: x.dtype) + bias.cast(to: x.dtype)
  }
}
