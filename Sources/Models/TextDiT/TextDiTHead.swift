import Layers
import Tensors

/// What follows the blocks of a `TextDiT`: a map from tokens to patches, shifted and scaled by the times and
/// the text's mean, and the end of the stem where there is one.
struct TextDiTHead {
  let config: TextDiTConfig
  let modulation: LinearMap
  let output: LinearMap
  let stem: TextDiTStemEnd?

  /// - Parameter stem: the end of the network's stem, nil without one.
  init(_ scope: Scope, _ config: TextDiTConfig, stem: TextDiTStemEnd?) {
    let width = config.width
    (self.config, self.stem) = (config, stem)
    modulation = scope.linear(
      "modulation", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    // What ends the network starts at 0: this map, or the stem's last convolution.
    output = scope.linear(
      "output", width, config.patchFeatures,
      initial: stem == nil ? .zeros : .xavier(width, config.patchFeatures), from: .embed)
  }

  /// Images `[batch, height, width, channels]` from normed tokens.
  ///
  /// - Parameters:
  ///   - normed: `[batch, tokens, width]`.
  ///   - pixels: the images, or the features of each pixel before the blocks.
  ///   - signal: the embedding of the times and of the text's mean after SiLU, `[batch, width]`.
  func callAsFunction(_ normed: Tensor, pixels: Tensor, signal: Tensor) -> Tensor {
    let m = modulation(signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    let image = output(normed * (1 + m[1]) + m[0])
      .imageOfTokens(
        height: pixels.shape[1], width: pixels.shape[2], patch: config.patch,
        order: .rowColumnChannel)
    return stem.map { $0(pixels, image, signal: signal) } ?? image
  }
}
