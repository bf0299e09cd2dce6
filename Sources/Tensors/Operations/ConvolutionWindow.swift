/// How a kernel moves over the spatial axes.
///
/// Layouts are fixed: inputs and outputs `[batch, spatial…, channels]`, kernels
/// `[spatial…, channels in / groups, channels out]`.
public struct ConvolutionWindow: Hashable, Sendable {
  /// The step of the kernel in elements, one per spatial axis.
  public var strides: [Int]
  /// Zeros before and after the input, per spatial axis.
  public var padding: [Range]
  /// The distance in elements between neighboring taps, per spatial axis.
  public var dilation: [Int]
  /// The number of independent groups of channels.
  public var groups: Int

  /// Zeros at both ends of an axis.
  public struct Range: Hashable, Sendable, ExpressibleByIntegerLiteral {
    /// Zeros before the first element.
    public var low: Int
    /// Zeros after the last element.
    public var high: Int

    /// Makes a pair.
    public init(_ low: Int, _ high: Int) { (self.low, self.high) = (low, high) }

    /// The same count at both ends.
    public init(integerLiteral value: Int) { self.init(value, value) }

    /// The same count at both ends.
    public static func both(_ count: Int) -> Range { Range(count, count) }

    /// Causal padding for a kernel of `size` taps: no output depends on later elements, and without
    /// a stride the size stays the same.
    public static func causal(_ size: Int, dilation: Int = 1) -> Range {
      Range((size - 1) * dilation, 0)
    }
  }

  /// Makes a window over `rank` spatial axes with the same values for each.
  public init(rank: Int = 2, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1)
  {
    strides = [Int](repeating: stride, count: rank)
    self.padding = [Range](repeating: Range(padding, padding), count: rank)
    self.dilation = [Int](repeating: dilation, count: rank)
    self.groups = groups
  }

  /// Makes a window with values for each spatial axis, by default without padding and dilation.
  public init(
    strides: [Int], padding: [Range]? = nil, dilation: [Int]? = nil, groups: Int = 1
  ) {
    let rank = strides.count
    self.init(rank: rank, groups: groups)
    self.strides = strides
    if let padding { self.padding = padding }
    if let dilation { self.dilation = dilation }
    precondition(
      self.padding.count == rank && self.dilation.count == rank,
      "a window with strides \(strides) has padding \(self.padding), dilation \(self.dilation)")
  }

  /// The extent of a dilated kernel along an axis.
  func extent(_ axis: Int, _ kernel: Int) -> Int { (kernel - 1) * dilation[axis] + 1 }

  /// The spatial sizes of the output.
  func output(_ input: [Int], kernel: [Int]) -> [Int] {
    input.indices.map { i in
      let room = input[i] + padding[i].low + padding[i].high - extent(i, kernel[i])
      precondition(room >= 0, "a kernel of \(kernel) does not fit in an input of \(input)")
      return room / strides[i] + 1
    }
  }

  var isPlain: Bool { strides.allSatisfy { $0 == 1 } }

  /// The indices of all taps of a kernel.
  func taps(_ kernel: Shape) -> [[Int]] {
    strides.indices.reduce([[]]) { paths, axis in
      paths.flatMap { path in (0..<kernel[axis]).map { path + [$0] } }
    }
  }

  /// The attribute that names the layouts and the window.
  func attributes(
    _ dtype: DType, inputDilation: [Int], padding: [Range]? = nil, strides: [Int]? = nil
  ) -> String {
    let axes = list(Array(self.strides.indices))
    return "dimension_numbers = #stablehlo.conv<[b, \(axes), f]x[\(axes), i, o]->[b, \(axes), f]>, "
      + text(
        strides: strides ?? self.strides, padding: padding ?? self.padding,
        inputDilation: inputDilation, kernelDilation: dilation)
      + "feature_group_count = \(groups) : i64, batch_group_count = 1 : i64, "
      + dtype.precisionConfig
  }

  /// The attributes of the kernel's gradient: a convolution with the cotangent in which samples and
  /// channels exchange roles, as do strides and dilation.
  func kernelGradientAttributes(_ dtype: DType, padding: [Range]) -> String {
    let axes = list(Array(strides.indices))
    return "dimension_numbers = #stablehlo.conv<[f, \(axes), b]x[i, \(axes), o]->[\(axes), b, f]>, "
      + text(
        strides: dilation, padding: padding, inputDilation: strides.map { _ in 1 },
        kernelDilation: strides)
      + "feature_group_count = 1 : i64, batch_group_count = \(groups) : i64, "
      + dtype.precisionConfig
  }

  private func text(
    strides: [Int], padding: [Range], inputDilation: [Int], kernelDilation: [Int]
  ) -> String {
    let pads = padding.map { "[\($0.low), \($0.high)]" }.joined(separator: ", ")
    return "window_strides = array<i64: \(list(strides))>, "
      + "padding = dense<[\(pads)]> : tensor<\(strides.count)x2xi64>, "
      + "lhs_dilation = array<i64: \(list(inputDilation))>, "
      + "rhs_dilation = array<i64: \(list(kernelDilation))>, "
  }
}
