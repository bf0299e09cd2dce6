import Layers
import Tensors

/// A small convolutional detector of objects with colors: Zhou, Wang and Krähenbühl, "Objects as points",
/// 2019.
public struct Detector {
  let config: DetectorConfig
  let stem: [(convolution: Convolution2D, norm: GroupNorm)]
  let blocks: [DetectorBlock]
  let hidden: Convolution2D
  let output: Convolution2D

  /// What the network says of each cell of 4 × 4 pixels.
  public struct Output {
    /// The logits of an object's center, `[batch, rows, columns, classes]`.
    public let centers: Tensor
    /// Right and down from the middle of the cell to the center in cells, and width and height in
    /// cells, `[batch, rows, columns, 4]`.
    public let boxes: Tensor
    /// The logits of colors, `[batch, rows, columns, colors]`.
    public let colors: Tensor
  }

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: DetectorConfig) {
    self.config = config
    let width = config.width
    let sizes = [(3, width / 2, 2), (width / 2, width / 2, 1), (width / 2, width, 2)]
    stem = sizes.enumerated().map { number, size in
      let part = scope / "stem" / number
      return (
        Convolution2D(
          part / "convolution", size.0, size.1, kernel: 3, stride: size.2, padding: 1),
        GroupNorm(part / "norm", groups: 8, channels: size.1)
      )
    }
    blocks = (0..<config.depth).map { DetectorBlock(scope / "blocks" / $0, width) }
    hidden = Convolution2D(scope / "hidden", width, 2 * width, kernel: 1)
    output = Convolution2D(
      scope / "output", 2 * width, config.classes + 4 + config.colors, kernel: 1)
  }

  /// Logits and boxes of pictures `[batch, height, width, 3]` within ±1.
  public func callAsFunction(_ x: Tensor) -> Output {
    var h = x
    for (convolution, norm) in stem { h = norm(convolution(h)).silu() }
    for block in blocks { h = block(h) }
    let all = output(hidden(h).silu())
    let (classes, end) = (config.classes, all.shape[3])
    return Output(
      // Few cells have a center: at first the network gives each a probability of 0.1.
      centers: all.slice(3, 0..<classes) - 2.2, boxes: all.slice(3, classes..<classes + 4),
      colors: all.slice(3, classes + 4..<end))
  }
}

/// Two convolutions beside a direct path: He and others, "Deep residual learning", 2016.
struct DetectorBlock {
  let convolutions: [(convolution: Convolution2D, norm: GroupNorm)]

  init(_ scope: Scope, _ width: Int) {
    convolutions = (0..<2).map { number in
      let part = scope / number
      return (
        Convolution2D(part / "convolution", width, width, kernel: 3, padding: 1),
        GroupNorm(part / "norm", groups: 8, channels: width)
      )
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = convolutions[0].norm(convolutions[0].convolution(x)).silu()
    return (x + convolutions[1].norm(convolutions[1].convolution(h))).silu()
  }
}
