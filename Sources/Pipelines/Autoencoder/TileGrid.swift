import Tensors

/// The tiles of an array `[batch, height, width, channels]`, each of which overlaps the one before it.
///
/// As in diffusers, tiles at the lower and right edges are smaller, and each tile is blended into those
/// above it and to its left by weights that grow linearly over the overlap.
struct TileGrid {
  /// The tiles of the results.
  struct Output {
    /// The elements from the start of a tile to that of the next.
    let stride: Int
    /// The elements that a tile shares with the next.
    let overlap: Int
  }

  /// The shape of the array.
  let shape: Shape
  /// The height and width of a tile.
  let size: Int
  /// The elements from the start of a tile to that of the next.
  let stride: Int
  let output: Output

  /// Applies a function to every tile and joins the results.
  func run(_ x: ImageValues, _ body: (ImageValues) throws -> ImageValues) rethrows -> ImageValues {
    let rows = Array(Swift.stride(from: 0, to: shape[1], by: stride))
    let columns = Array(Swift.stride(from: 0, to: shape[2], by: stride))
    var above: [ImageValues] = []
    var bands: [ImageValues] = []
    for row in rows {
      var band: [ImageValues] = []
      for column in columns {
        let piece = x.part(
          rows: row..<min(row + size, shape[1]), columns: column..<min(column + size, shape[2]))
        var tile = try body(piece)
        if !above.isEmpty { tile.blend(below: above[band.count], overlap: output.overlap) }
        if let left = band.last { tile.blend(after: left, overlap: output.overlap) }
        band.append(tile)
      }
      above = band
      bands.append(
        .joined(
          band.map {
            $0.part(
              rows: 0..<min(output.stride, $0.shape[1]),
              columns: 0..<min(output.stride, $0.shape[2]))
          }, axis: 2))
    }
    return .joined(bands, axis: 1)
  }
}

/// The numbers of an array `[batch, height, width, channels]`, row-major.
struct ImageValues {
  private(set) var values: [Float]
  let shape: Shape

  init(_ values: [Float], _ shape: Shape) {
    precondition(
      shape.rank == 4 && shape.count == values.count,
      "\(values.count) values are given for \(shape)")
    (self.values, self.shape) = (values, shape)
  }

  /// A rectangle of every image.
  func part(rows: Range<Int>, columns: Range<Int>) -> ImageValues {
    let (width, channels) = (shape[2], shape[3])
    var part: [Float] = []
    part.reserveCapacity(shape[0] * rows.count * columns.count * channels)
    for image in 0..<shape[0] {
      for row in rows {
        let start = (image * shape[1] + row) * width
        part +=
          values[(start + columns.lowerBound) * channels..<(start + columns.upperBound) * channels]
      }
    }
    return ImageValues(part, [shape[0], rows.count, columns.count, channels])
  }

  /// The first rows become mixtures with the last rows of the tile above.
  mutating func blend(below other: ImageValues, overlap: Int) {
    let extent = min(other.shape[1], shape[1], overlap)
    let row = shape[2] * shape[3]
    for image in 0..<shape[0] {
      for y in 0..<extent {
        mix(
          row, at: (image * shape[1] + y) * row, other,
          at: ((image + 1) * other.shape[1] - extent + y) * row, y, extent)
      }
    }
  }

  /// The first columns become mixtures with the last columns of the tile to the left.
  mutating func blend(after other: ImageValues, overlap: Int) {
    let extent = min(other.shape[2], shape[2], overlap)
    let channels = shape[3]
    for line in 0..<shape[0] * shape[1] {
      for x in 0..<extent {
        mix(
          channels, at: (line * shape[2] + x) * channels, other,
          at: ((line + 1) * other.shape[2] - extent + x) * channels, x, extent)
      }
    }
  }

  /// Mixes numbers from `start` with those of another array, of which a share of `step / extent` is this
  /// array's.
  private mutating func mix(
    _ count: Int, at start: Int, _ other: ImageValues, at otherStart: Int, _ step: Int,
    _ extent: Int
  ) {
    let share = Double(step) / Double(extent)
    let (own, others) = (Float(share), Float(1 - share))
    for i in 0..<count {
      values[start + i] = other.values[otherStart + i] * others + values[start + i] * own
    }
  }

  /// Arrays one after the other along the axis of height, 1, or of width, 2.
  static func joined(_ parts: [ImageValues], axis: Int) -> ImageValues {
    var sizes = parts[0].shape.sizes
    sizes[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let lines = sizes[..<axis].reduce(1, *)
    var values: [Float] = []
    values.reserveCapacity(sizes.reduce(1, *))
    for line in 0..<lines {
      for part in parts {
        let count = part.values.count / lines
        values += part.values[line * count..<(line + 1) * count]
      }
    }
    return ImageValues(values, Shape(sizes))
  }
}
