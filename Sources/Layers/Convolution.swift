import Tensors

/// A convolution of `[batch, spatial…, channels]` over one, two or three spatial axes: sequences,
/// images, and videos `[batch, time, height, width, channels]`.
///
/// The kernel is stored as `[out, in / groups, spatial…]`, PyTorch's layout.
public struct Convolution {
  let weight: Tensor
  let bias: Tensor?
  let window: ConvolutionWindow

  /// Makes a convolution with a kernel of these sizes, one a spatial axis.
  ///
  /// - Parameters:
  ///   - strides: by default 1 along every axis.
  ///   - padding: zeros before and after the input; by default none. `[.causal(3), 1, 1]` lets no
  ///     frame see a later one: Wan Team, "Wan", 2025.
  ///   - dilation: by default 1 along every axis.
  ///   - to: what the output's channels stand for, which says how the weights are split over
  ///     devices.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: [Int], strides: [Int]? = nil,
    padding: [ConvolutionWindow.Range]? = nil, dilation: [Int]? = nil, groups: Int = 1,
    bias: Bool = true, initial: Initializer? = nil, to: LogicalAxis? = .embed
  ) {
    precondition(
      (1...3).contains(kernel.count), "a convolution has one to three spatial axes, not \(kernel)")
    precondition(
      input % groups == 0 && output % groups == 0,
      "\(input) and \(output) channels do not make \(groups) groups")
    let taps = kernel.reduce(1, *)
    let initial = initial ?? .fanIn(input / groups * taps)
    weight = scope.weight(
      "weight", Shape([output, input / groups] + kernel), initial, axes: [to])
    self.bias = bias ? scope.weight("bias", [output], initial, axes: [to]) : nil
    window = ConvolutionWindow(
      strides: strides ?? kernel.map { _ in 1 }, padding: padding, dilation: dilation,
      groups: groups)
    precondition(
      window.strides.count == kernel.count,
      "a kernel of \(kernel) does not move by strides of \(window.strides)")
  }

  /// Applies the convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let spatial = Array(2..<weight.rank)
    let y = x.convolution(weight.cast(to: x.dtype).transpose(spatial + [1, 0]), window)
    return bias.map { y + $0.cast(to: x.dtype) } ?? y
  }
}

/// A two-dimensional convolution of `[batch, height, width, channels]` with a square kernel.
public struct Convolution2D {
  let convolution: Convolution

  /// Makes a convolution, see `Convolution`.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    groups: Int = 1, initial: Initializer? = nil, to: LogicalAxis? = .embed
  ) {
    convolution = Convolution(
      scope, input, output, kernel: [kernel, kernel], strides: [stride, stride],
      padding: [.both(padding), .both(padding)], groups: groups, initial: initial, to: to)
  }

  /// Applies the convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor { convolution(x) }
}
