import Layers
import Tensors

/// The decoder of a convolutional autoencoder: latents to pixels, as in Rombach and others,
/// "High-resolution image synthesis with latent diffusion models", 2022.
///
/// Each level is residual blocks, and but for the last one an up-sampling to twice the size.
public struct ImageDecoder {
  let input: Convolution2D
  let middle: [ResidualBlock]
  let levels: [(blocks: [ResidualBlock], rise: Convolution2D?)]
  let norm: GroupNorm
  let output: Convolution2D

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: ImageDecoderConfig) {
    let widths = config.widths
    input = Convolution2D(scope / "input", config.latentChannels, widths[0], kernel: 3, padding: 1)
    middle = (0..<2).map {
      ResidualBlock(scope / "middle" / $0, widths[0], widths[0], groups: config.groups)
    }
    levels = widths.indices.map { i in
      let level = scope / "levels" / i
      let before = widths[max(0, i - 1)]
      let blocks = (0..<config.blocks).map {
        ResidualBlock(
          level / "blocks" / $0, $0 == 0 ? before : widths[i], widths[i], groups: config.groups)
      }
      let rise =
        i < widths.count - 1
        ? Convolution2D(level / "rise", widths[i], widths[i], kernel: 3, padding: 1) : nil
      return (blocks, rise)
    }
    norm = GroupNorm(scope / "norm", groups: config.groups, channels: widths.last!)
    output = Convolution2D(
      scope / "output", widths.last!, config.channels, kernel: 3, padding: 1, to: nil)
  }

  /// Latents `[batch, height, width, channels]` to images of 2ⁿ⁻¹ times their size for n levels.
  public func callAsFunction(_ latents: Tensor) -> Tensor {
    var h = middle.reduce(input(latents)) { $1($0) }
    for level in levels {
      h = level.blocks.reduce(h) { $1($0) }
      if let rise = level.rise { h = rise(h.enlarged()) }
    }
    return output(norm(h).silu())
  }
}

/// Two convolutions with norms before them, added to what comes in.
struct ResidualBlock {
  let norm1: GroupNorm
  let convolution1: Convolution2D
  let norm2: GroupNorm
  let convolution2: Convolution2D
  let shortcut: Convolution2D?

  init(_ scope: Scope, _ input: Int, _ output: Int, groups: Int) {
    norm1 = GroupNorm(scope / "norm1", groups: groups, channels: input)
    convolution1 = Convolution2D(scope / "convolution1", input, output, kernel: 3, padding: 1)
    norm2 = GroupNorm(scope / "norm2", groups: groups, channels: output)
    convolution2 = Convolution2D(scope / "convolution2", output, output, kernel: 3, padding: 1)
    shortcut = input == output ? nil : Convolution2D(scope / "shortcut", input, output, kernel: 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = convolution2(norm2(convolution1(norm1(x).silu())).silu())
    return (shortcut?(x) ?? x) + h
  }
}

extension Tensor {
  /// Images `[batch, height, width, channels]` of twice the size: each pixel four times.
  func enlarged() -> Tensor {
    let sizes = shape.sizes
    return expanded([2, 4])
      .broadcast(to: [sizes[0], sizes[1], 2, sizes[2], 2, sizes[3]])
      .reshape([sizes[0], 2 * sizes[1], 2 * sizes[2], sizes[3]])
  }
}

/// The sizes of an image decoder.
public struct ImageDecoderConfig: Codable, Hashable, Sendable {
  /// The channels of latents.
  public var latentChannels = 16
  /// The channels of images.
  public var channels = 3
  /// The features of each level, the smallest pictures first.
  public var widths = [512, 512, 256, 128]
  /// Residual blocks of a level.
  public var blocks = 3
  /// Groups of the norms; divides every width.
  public var groups = 32

  /// Makes the usual sizes.
  public init() {}
}
