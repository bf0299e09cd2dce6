import Tensors

/// A two-dimensional transposed convolution of `[batch, height, width, channels]`.
///
/// The kernel is stored as `[in, out, height, width]`, PyTorch's layout.
public struct TransposedConvolution2D {
  let weight: Tensor
  let bias: Tensor
  let window: ConvolutionWindow

  /// Makes a transposed convolution with a square kernel.
  public init(
    _ scope: Scope, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int = 0
  ) {
    let fan = Initializer.fanIn(output * kernel * kernel)
    weight = scope.weight("weight", [input, output, kernel, kernel], fan, axes: [nil, .embed])
    bias = scope.weight("bias", [output], fan, axes: [.embed])
    window = ConvolutionWindow(stride: stride, padding: padding)
  }

  /// Applies the transposed convolution.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let kernel = weight.cast(to: x.dtype).transpose([2, 3, 1, 0])
    return x.transposedConvolution(kernel, window) + bias.cast(to: x.dtype)
  }

  /// The change of the result where an image's first channels increase by `features` everywhere.
  ///
  /// The convolution is linear, so that it can be computed once for images that differ only in
  /// this; their difference costs very little.
  ///
  /// - Parameters:
  ///   - features: `[batch, channels]`.
  ///   - size: the image's height and width.
  /// - Returns: `[batch, height, width, out]` of the result's size.
  public func difference(_ features: Tensor, size: (Int, Int)) -> Tensor {
    let (batch, channels) = (features.shape[0], features.shape[1])
    let out = weight.shape[1]
    let rows = TapKinds(window, axis: 0, input: size.0, taps: weight.shape[2])
    let columns = TapKinds(window, axis: 1, input: size.1, taps: weight.shape[3])
    let kinds = rows.kinds.count * columns.kinds.count
    let taken = Self.products(rows.taken, columns.taken)
    let places = Self.products(rows.spread, columns.spread)
    let taps = weight.shape[2] * weight.shape[3]

    // The kernel's sums over the taps of each kind of place, then the features' share in them.
    let kernel = weight.slice(0, 0..<channels).transpose([2, 3, 0, 1])
      .reshape([taps, channels * out]).cast(to: features.dtype)
    let sums = Tensor.constant(taken, shape: [kinds, taps]).cast(to: features.dtype)
      .matmul(kernel).reshape([kinds, channels, out])
    let parts = features.dot(sums, contracting: ([1], [1]))
    let count = rows.places.count * columns.places.count
    let spread = Tensor.constant(places, shape: [count, kinds]).cast(to: features.dtype)
    return parts.dot(spread, contracting: ([1], [1])).transpose([0, 2, 1])
      .reshape([batch, rows.places.count, columns.places.count, out])
  }

  /// All products of an element of two tables' rows, as one table: Kronecker's.
  private static func products(_ a: [[Float]], _ b: [[Float]]) -> [Float] {
    var all: [Float] = []
    for row in a {
      for other in b {
        for x in row { for y in other { all.append(x * y) } }
      }
    }
    return all
  }
}

/// The taps of a transposed convolution that fall into the image, for each position of its result
/// along one axis.
private struct TapKinds {
  /// The taps for every kind of position.
  private(set) var kinds: [[Int]] = []
  /// The kind of each position.
  private(set) var places: [Int] = []
  private let taps: Int

  init(_ window: ConvolutionWindow, axis: Int, input: Int, taps: Int) {
    self.taps = taps
    let (stride, padding) = (window.strides[axis], window.padding[axis])
    let extent = (taps - 1) * window.dilation[axis] + 1
    let count = (input - 1) * stride + extent - padding.low - padding.high
    for place in 0..<count {
      let reached = (0..<taps).filter { tap in
        let at = place + padding.low - tap * window.dilation[axis]
        return at >= 0 && at % stride == 0 && at / stride < input
      }
      if let known = kinds.firstIndex(of: reached) {
        places.append(known)
      } else {
        places.append(kinds.count)
        kinds.append(reached)
      }
    }
  }

  /// 1 where a kind has a tap, `[kinds][taps]`.
  var taken: [[Float]] {
    kinds.map { kind in (0..<taps).map { kind.contains($0) ? 1 : 0 } }
  }

  /// 1 where a position is of a kind, `[positions][kinds]`.
  var spread: [[Float]] {
    places.map { place in kinds.indices.map { $0 == place ? 1 : 0 } }
  }
}
