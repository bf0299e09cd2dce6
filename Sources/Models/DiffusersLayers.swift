import Layers
import Tensors

/// Sinusoidal features of a time followed by an MLP: diffusers' `Timesteps` and `TimestepEmbedding`.
struct TimestepEmbedder {
  private let mlp: MLP
  private let shift: Int
  private let scale: Double

  /// Makes an embedder with 256 sinusoidal features.
  ///
  /// - Parameters:
  ///   - shift: see `Tensor.publishedSinusoidal`.
  ///   - scale: the factor of times.
  init(_ scope: Scope, width: Int, shift: Int = 0, scale: Double = 1) {
    mlp = MLP(
      scope.linear("linear_1", 256, width, initial: .normal(0.02), to: .hidden),
      scope.linear("linear_2", width, width, initial: .normal(0.02), from: .hidden, to: .embed)
    ) { $0.silu() }
    (self.shift, self.scale) = (shift, scale)
  }

  /// Times `[batch]` to `[batch, width]` in f32.
  func callAsFunction(_ time: Tensor) -> Tensor {
    mlp(time.publishedSinusoidal(256, shift: shift, scale: scale))
  }
}

extension MLP {
  /// Diffusers' `FeedForward` with GELU and a hidden width of four times the width.
  static func feedForward(_ scope: Scope, width: Int, approximate: Bool = true) -> MLP {
    MLP(
      (scope / "net" / 0).linear("proj", width, 4 * width, from: .embed, to: .hidden),
      (scope / "net").linear("2", 4 * width, width, from: .hidden, to: .embed)
    ) { $0.gelu(approximate: approximate) }
  }
}

/// The order of the features of a patch's token.
public enum PatchOrder: Hashable, Sendable {
  /// Channel, row, column: Qwen-Image.
  case channelRowColumn
  /// Row, column, channel: Z-Image.
  case rowColumnChannel
}

extension Tensor {
  /// Images `[batch, height, width, channels]` as the tokens of square patches, `[batch, tokens,
  /// channels · patch²]`, in row-major order.
  public func patchTokens(_ patch: Int, order: PatchOrder = .channelRowColumn) -> Tensor {
    precondition(
      rank == 4 && shape[1] % patch == 0 && shape[2] % patch == 0,
      "\(type) cannot be divided into patches of \(patch)²")
    let (height, width) = (shape[1] / patch, shape[2] / patch)
    return reshape([shape[0], height, patch, width, patch, shape[3]])
      .transpose(order == .channelRowColumn ? [0, 1, 3, 5, 2, 4] : [0, 1, 3, 2, 4, 5])
      .reshape([shape[0], height * width, -1])
  }

  /// Images `[batch, height, width, channels]` from the tokens of their patches, see `patchTokens`.
  ///
  /// - Parameters:
  ///   - height: the height of the images.
  ///   - width: the width of the images.
  public func imageOfTokens(
    height: Int, width: Int, patch: Int, order: PatchOrder = .channelRowColumn
  ) -> Tensor {
    precondition(
      rank == 3 && height % patch == 0 && width % patch == 0
        && shape[1] == height / patch * (width / patch) && shape[2] % (patch * patch) == 0,
      "\(type) does not hold patches of \(patch)² of an image of \(height) × \(width)")
    let grid = [shape[0], height / patch, width / patch]
    let pixels =
      order == .channelRowColumn
      ? reshape(grid + [-1, patch, patch]).transpose([0, 1, 4, 2, 5, 3])
      : reshape(grid + [patch, patch, -1]).transpose([0, 1, 3, 2, 4, 5])
    return pixels.reshape([shape[0], height, width, -1])
  }
}
