import Layers
import Tensors

/// Convolutions at full resolution around the blocks of a `TextDiT`: one before the patches, and two that
/// join its features with those of the blocks, as in the outermost level of a U-Net.
///
/// The noise of every pixel reaches the output without passing through the tokens, and neighbouring
/// patches meet without seams, so that patches can be large and tokens few.
struct TextDiTStem {
  let input: Convolution2D
  let end: TextDiTStemEnd

  init(_ scope: Scope, _ config: TextDiTConfig) {
    input = Convolution2D(
      scope / "input", config.channels, config.stem, kernel: 3, padding: 1)
    end = TextDiTStemEnd(scope, config)
  }

  /// The features of each pixel of images `[batch, height, width, channels]`.
  func features(_ x: Tensor) -> Tensor { input(x).silu() }
}

/// The two convolutions of a stem behind the blocks.
struct TextDiTStemEnd {
  let join: Convolution2D
  let modulation: LinearMap
  let output: Convolution2D

  init(_ scope: Scope, _ config: TextDiTConfig) {
    let features = config.stem
    join = Convolution2D(scope / "join", 2 * features, features, kernel: 3, padding: 1)
    modulation = scope.linear(
      "modulation", config.width, 2 * features, initial: .zeros, from: .embed, to: nil)
    output = Convolution2D(
      scope / "output", features, config.channels, kernel: 3, padding: 1, initial: .zeros, to: nil)
  }

  /// Images from the features of each pixel.
  ///
  /// - Parameters:
  ///   - stem: the features before the blocks, `[batch, height, width, stem]`.
  ///   - blocks: those after the blocks, of the same shape.
  ///   - signal: the embedding of the times and of the text's mean after SiLU, `[batch, width]`.
  func callAsFunction(_ stem: Tensor, _ blocks: Tensor, signal: Tensor) -> Tensor {
    let m = modulation(signal).sharded(.batch).expanded([1, 2]).split(2, axis: -1)
    return output((join(.concatenate([blocks, stem], axis: -1)) * (1 + m[1]) + m[0]).silu())
  }
}
