import Layers
import Tensors

/// A convolution to half the resolution, beside a shortcut that moves pixels into channels and averages
/// these.
struct DCDownsampling {
  let convolution: Convolution2D
  let movesPixels: Bool
  let group: Int?

  init(
    _ scope: Scope, _ input: Int, _ output: Int, _ kind: AutoencoderDCConfig.Downsampling,
    hasShortcut: Bool
  ) {
    movesPixels = kind == .pixels
    convolution = Convolution2D(
      scope / "conv", input, movesPixels ? output / 4 : output, kernel: 3,
      stride: movesPixels ? 1 : 2, padding: 1)
    group = hasShortcut ? 4 * input / output : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let convolved = convolution(x)
    let h = movesPixels ? convolved.pixelsAsChannels : convolved
    return group.map { h + x.pixelsAsChannels.channelMeans($0) } ?? h
  }
}

/// A convolution to twice the resolution, beside a shortcut that repeats channels and moves them to pixels.
struct DCUpsampling {
  let convolution: Convolution2D
  let repeatsPixels: Bool
  let repeats: Int?

  init(
    _ scope: Scope, _ input: Int, _ output: Int, _ kind: AutoencoderDCConfig.Upsampling,
    hasShortcut: Bool
  ) {
    repeatsPixels = kind == .interpolation
    convolution = Convolution2D(
      scope / "conv", input, repeatsPixels ? output : 4 * output, kernel: 3, padding: 1)
    repeats = hasShortcut ? 4 * output / input : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h =
      repeatsPixels ? convolution(x.upsampledNearest(2)) : convolution(x).channelsAsPixels
    return repeats.map { h + x.repeatedChannels($0).channelsAsPixels } ?? h
  }
}

extension Tensor {
  /// The pixels of squares of 2 × 2 as channels: `[batch, height, width, channels]` to
  /// `[batch, height / 2, width / 2, 4 · channels]`, the pixels of a channel one after the other.
  var pixelsAsChannels: Tensor {
    patchTokens(2).reshape([shape[0], shape[1] / 2, shape[2] / 2, 4 * shape[3]])
  }

  /// The inverse of `pixelsAsChannels`.
  var channelsAsPixels: Tensor {
    reshape([shape[0], shape[1] * shape[2], shape[3]])
      .imageOfTokens(height: 2 * shape[1], width: 2 * shape[2], patch: 2)
  }

  /// The means of groups of neighbouring channels.
  func channelMeans(_ group: Int) -> Tensor {
    reshape(Shape(shape.sizes.dropLast() + [shape[-1] / group, group])).mean([-1])
  }

  /// Every channel so many times, one after the other.
  func repeatedChannels(_ count: Int) -> Tensor {
    let sizes = Array(shape.sizes.dropLast())
    return expanded([rank]).broadcast(to: Shape(sizes + [shape[-1], count]))
      .reshape(Shape(sizes + [shape[-1] * count]))
  }
}
