import Layers
import Tensors

/// The size of an image in tokens.
public struct TokenGrid: Hashable, Sendable {
  /// Rows of tokens.
  public var height: Int
  /// Columns of tokens.
  public var width: Int

  /// Makes a size.
  public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }

  /// The number of tokens.
  public var count: Int { height * width }
}

extension QwenImage {
  /// The rotary embeddings of the tokens of images and of text.
  ///
  /// A token of image i has the position (i, row, column), with rows and columns relative to the
  /// image's center. A text token has the same position along all three axes; the first one follows
  /// the last row or column of the largest image.
  func rotary(_ grids: [TokenGrid], textTokens: Int) -> (image: Rotary, text: Rotary) {
    var axes: [[Tensor]] = [[], [], []]
    for (number, grid) in grids.enumerated() {
      let shape: Shape = [grid.height, grid.width]
      axes[0].append(.constant(Double(number), .float32, shape: [grid.count]))
      for (axis, size) in shape.sizes.enumerated() {
        let centered = Tensor.iota(shape, axis: axis, .float32) - Double(size - size / 2)
        axes[axis + 1].append(centered.reshape([-1]))
      }
    }
    let start = grids.flatMap { [$0.height / 2, $0.width / 2] }.max() ?? 0
    let text = Tensor.iota([textTokens], .float32) + Double(start)
    return (embedding(axes.map { .concatenate($0) }), embedding([text, text, text]))
  }

  /// The rotary embedding of positions `[tokens]` along image, row and column.
  private func embedding(_ positions: [Tensor]) -> Rotary {
    let angles = zip(positions, config.rotaryAxes).map { $0.rotaryAngles(width: $1) }
    return Rotary(angles: .concatenate(angles, axis: -1), layout: .interleaved)
  }
}
