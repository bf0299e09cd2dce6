import Tensors

/// The learned positions of a square, interpolated for the patches of images: the corners of an image are
/// those of the square.
struct InterpolatedPositions {
  /// The four rows of the table around each patch.
  let indices: [Int32]
  /// Their weights, whose sum is 1.
  let weights: [Float]

  /// Finds the positions around patches.
  ///
  /// - Parameters:
  ///   - grids: the sizes of the images in patches.
  ///   - layout: the patches of these images.
  ///   - side: the rows and columns of the square.
  init(_ grids: [TokenGrid], _ layout: VisionWindows, side: Int) {
    /// The two numbers around the place of a patch along an axis, with their weights.
    func around(_ place: Int32, of size: Int) -> [(number: Int, weight: Float)] {
      let position = Float(place) * Float(side - 1) / Float(max(size - 1, 1))
      let below = Int(position)
      let fraction = position - Float(below)
      return [(below, 1 - fraction), (min(below + 1, side - 1), fraction)]
    }
    var (indices, weights) = ([Int32](), [Float]())
    for (grid, group) in zip(grids, layout.images) {
      for patch in group.patches {
        let columns = around(layout.positions.columns[patch], of: grid.width)
        for row in around(layout.positions.rows[patch], of: grid.height) {
          for column in columns {
            indices.append(Int32(row.number * side + column.number))
            weights.append(row.weight * column.weight)
          }
        }
      }
    }
    (self.indices, self.weights) = (indices, weights)
  }

  /// The positions of the patches, `[patches, width]` in f32 at least, from the table `[positions, width]`.
  func callAsFunction(_ table: Tensor) -> Tensor {
    let count = indices.count / 4
    let values = table.wide.take(.constant(indices, shape: [count, 4]))
    return (values * .constant(weights, shape: [count, 4, 1])).sum([1])
  }
}
