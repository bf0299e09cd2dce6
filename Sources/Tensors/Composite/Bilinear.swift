extension Tensor {
  /// Images `[batch, height, width, channels]` in another size, by linear interpolation between the centres
  /// of pixels, without a filter against aliasing; PyTorch's `interpolate` with `align_corners=False`.
  public func bilinearResized(height: Int, width: Int) -> Tensor {
    precondition(rank == 4, "images are [batch, height, width, channels], not \(type)")
    return linearResized(1, to: height).linearResized(2, to: width)
  }

  /// One axis in another size.
  private func linearResized(_ axis: Int, to size: Int) -> Tensor {
    let old = shape[axis]
    guard size != old else { return self }
    let scale = Float(old) / Float(size)
    let places = (0..<size).map { Swift.max(0, (Float($0) + 0.5) * scale - 0.5) }
    let lower = places.map { Swift.min(Int32($0), Int32(old - 1)) }
    let upper = lower.map { Swift.min($0 + 1, Int32(old - 1)) }
    let shares = zip(places, lower).map { $0 - Float($1) }
    let share = Tensor.constant(
      shares, shape: Shape(shape.sizes.indices.map { $0 == axis ? size : 1 })
    ).cast(to: dtype)
    return take(.constant(lower, shape: [size]), axis: axis) * (1 - share)
      + take(.constant(upper, shape: [size]), axis: axis) * share
  }
}

/// Maps of one image at several resolutions, one behind the other: `[batch, pixels, heads, width]`.
///
/// They are sampled between pixels, as deformable attention does: Zhu and others, "Deformable DETR", 2021.
public struct FeaturePyramid {
  private let rows: Tensor
  private let levels: [(height: Int, width: Int)]
  private let sizes: [Int]

  /// Makes a pyramid of the pixels of all levels in reading order.
  public init(_ values: Tensor, levels: [(height: Int, width: Int)]) {
    precondition(
      values.rank == 4 && values.shape[1] == levels.reduce(0) { $0 + $1.height * $1.width },
      "levels \(levels) do not have the pixels of \(values.type)")
    sizes = values.shape.sizes
    rows = values.reshape([-1, sizes[3]])
    self.levels = levels
  }

  /// The weighted sums of values at places between pixels; beyond the edges there are zeros.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, heads, levels, points]`, in pixels of the level: 0 is the centre of the
  ///     first one.
  ///   - y: of the same shape.
  ///   - weights: of the same shape.
  /// - Returns: `[batch, queries, heads, width]`.
  public func sampled(x: Tensor, y: Tensor, weights: Tensor) -> Tensor {
    let shape = x.shape
    precondition(
      shape.rank == 5 && shape == y.shape && shape == weights.shape
        && shape[0] == sizes[0] && shape[2] == sizes[2] && shape[3] == levels.count,
      "places \(x.type), \(y.type) and weights \(weights.type) do not fit \(sizes)")
    func perLevel(_ values: [Int]) -> Tensor {
      .constant(values.map { Int32($0) }, shape: [values.count, 1])
    }
    let (width, height) = (perLevel(levels.map(\.width)), perLevel(levels.map(\.height)))
    var starts = [0]
    for level in levels.dropLast() { starts.append(starts.last! + level.height * level.width) }
    // The pixel of a level at a batch's start, then the head.
    let batch =
      Tensor.iota(Shape(shape.sizes.indices.map { $0 == 0 ? shape[0] : 1 }), .int32)
      * Double(sizes[1])
    let base = batch + perLevel(starts)
    let head = Tensor.iota([sizes[2], 1, 1], .int32)
    let (left, top) = (x.floor(), y.floor())
    let (right, below) = (x - left, y - top)
    let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].map { down, across in
      let column = left.cast(to: .int32) + Double(across)
      let row = top.cast(to: .int32) + Double(down)
      let isInside =
        column.greaterOrEqual(column.zerosLike) & row.greaterOrEqual(row.zerosLike)
        & column.less(width) & row.less(height)
      let share = (across == 0 ? 1 - right : right) * (down == 0 ? 1 - below : below) * weights
      let place = (base + row * width + column) * Double(sizes[2]) + head
      let values = rows.take(isInside.select(place, place.zerosLike))
      return (values * isInside.select(share, share.zerosLike).expanded([5])).sum([3, 4])
    }
    return corners.dropFirst().reduce(corners[0], +)
  }
}
