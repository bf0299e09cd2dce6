import Layers
import Tensors

/// The order in which vision towers hold the patches of images, and the groups of them that see each other.
///
/// Patches come in merged patches, the squares of `merge`² patches that become one token. The windows of
/// an image are squares of merged patches, cut off at the right and the lower edge. Windows of one shape
/// stand next to each other, so that attention within them is one batch; an image stands together too.
struct VisionWindows {
  /// Groups of patches of one size, one after the other; a patch sees the patches of its own group.
  struct Groups: Hashable {
    /// The patches of all of them.
    let patches: Range<Int>
    /// The number of groups.
    let count: Int
  }

  /// The merged patches in this order, by their numbers in reading order over all images.
  let order: [Int32]
  /// The windows of all images.
  let windows: [Groups]
  /// The images.
  let images: [Groups]
  /// The row and the column of each patch within its image, in this order.
  let positions: (rows: [Int32], columns: [Int32])

  /// Lays out images.
  ///
  /// - Parameters:
  ///   - grids: the sizes of the images in patches, multiples of `merge`.
  ///   - merge: the height and width of a merged patch in patches.
  ///   - window: the height and width of a window in merged patches; nil for whole images, which keeps the
  ///     order.
  init(_ grids: [TokenGrid], merge: Int, window: Int? = nil) {
    var (order, windows, images) = ([Int32](), [Groups](), [Groups]())
    var (rows, columns) = ([Int32](), [Int32]())
    var first = 0
    for grid in grids {
      precondition(
        grid.count > 0 && grid.height % merge == 0 && grid.width % merge == 0,
        "an image of \(grid.height) × \(grid.width) patches has no whole squares of \(merge)")
      let (height, width) = (grid.height / merge, grid.width / merge)
      let (start, window) = (rows.count, window ?? max(height, width))
      for tall in Self.bands(height, window) {
        for wide in Self.bands(width, window) {
          let groupStart = rows.count
          for top in tall {
            for left in wide {
              for row in top {
                for column in left {
                  order.append(Int32(first + row * width + column))
                  for place in 0..<merge * merge {
                    rows.append(Int32(row * merge + place / merge))
                    columns.append(Int32(column * merge + place % merge))
                  }
                }
              }
            }
          }
          windows.append(Groups(patches: groupStart..<rows.count, count: tall.count * wide.count))
        }
      }
      images.append(Groups(patches: start..<rows.count, count: 1))
      first += height * width
    }
    (self.order, self.windows, self.images) = (order, windows, images)
    positions = (rows, columns)
  }

  /// The whole windows along an axis, then the one that is cut off, where there are such.
  private static func bands(_ size: Int, _ window: Int) -> [[Range<Int>]] {
    let whole = stride(from: 0, through: size - window, by: window).map { $0..<$0 + window }
    let rest = size / window * window..<size
    return [whole, rest.isEmpty ? [] : [rest]].filter { !$0.isEmpty }
  }

  /// The rotary embedding of heads: half of a head's pairs are turned by the row, half by the column.
  func rotary(width: Int, base: Double) -> Rotary {
    let angles = [positions.rows, positions.columns].map {
      Tensor.constant($0, shape: [$0.count]).rotaryAngles(width: width / 2, base: base)
    }
    return Rotary(angles: .concatenate(angles, axis: -1), layout: .halfSplit)
  }

  /// The place in this order of each merged patch in reading order.
  var inverse: [Int32] {
    var inverse = [Int32](repeating: 0, count: order.count)
    for (place, number) in order.enumerated() { inverse[Int(number)] = Int32(place) }
    return inverse
  }
}
