import Layers
import Tensors

/// Reads regions of one parameter from the arrays on disk that hold it.
///
/// Conversion takes place on the host, a few rows at a time.
struct RegionReader {
  private let files: WeightFiles
  private let pieces: [NameMap.Piece]
  /// The number of finite numbers that became infinite.
  private(set) var infinite = 0
  /// Whether a number that was to be quantized is infinite or NaN.
  private(set) var hasNotFinite = false

  /// The number of elements converted together.
  private static let block = 1 << 20

  /// - Parameter pieces: the arrays, see `NameMap.pieces`.
  init(_ files: WeightFiles, _ pieces: [NameMap.Piece]) {
    (self.files, self.pieces) = (files, pieces)
  }

  /// A region in an element type; a matrix that is stored in 8 bits is dequantized unless it is s8.
  mutating func read(_ region: Region, as dtype: DType) -> AlignedMemory {
    let memory = AlignedMemory(byteCount: region.sizes.reduce(dtype.byteCount, *))
    for piece in pieces {
      guard let part = region.intersection(piece.box) else { continue }
      let stored = self.stored(piece)
      if stored == dtype {
        copy(part, piece, to: region, memory.bytes, width: dtype.byteCount)
      } else {
        for block in part.blocks(of: Self.block) {
          let converted = AlignedMemory(byteCount: block.sizes.reduce(dtype.byteCount, *))
          infinite +=
            stored == .int8
            ? dequantized(block, piece).withUnsafeBytes {
              ElementConversion.convert($0, .float32, to: converted.bytes, dtype)
            }
            : bytes(block, piece).withUnsafeBytes {
              ElementConversion.convert($0, stored, to: converted.bytes, dtype)
            }
          region.copy(
            from: block, UnsafeRawBufferPointer(converted.bytes), to: memory.bytes,
            width: dtype.byteCount)
        }
      }
      release(piece)
    }
    return memory
  }

  /// A region of a matrix in 8 bits, and the scales of its rows. A scale is that of the whole row,
  /// also where the region has only some of the columns.
  mutating func readQuantized(_ region: Region) -> (values: AlignedMemory, scales: AlignedMemory) {
    let rows = region.withoutColumns
    let values = AlignedMemory(byteCount: region.sizes.reduce(1, *))
    let scales = AlignedMemory(byteCount: rows.sizes.reduce(4, *))
    for piece in pieces {
      guard let part = region.intersection(piece.box) else { continue }
      if stored(piece) == .int8 {
        copy(part, piece, to: region, values.bytes, width: 1)
        self.scales(part.withoutColumns, piece).withUnsafeBytes {
          rows.copy(from: part.withoutColumns, $0, to: scales.bytes, width: 4)
        }
      } else {
        for block in part.blocks(of: Self.block) {
          let (integers, factors) = quantized(block, piece)
          integers.withUnsafeBytes {
            region.copy(from: block, $0, to: values.bytes, width: 1)
          }
          factors.withUnsafeBytes {
            rows.copy(from: block.withoutColumns, $0, to: scales.bytes, width: 4)
          }
        }
      }
      release(piece)
    }
    return (values, scales)
  }

  /// A block of a matrix that is stored in floating-point numbers, in 8 bits, with its rows' scales.
  private mutating func quantized(
    _ block: Region, _ piece: NameMap.Piece
  ) -> (values: [Int8], scales: [Float]) {
    let (columns, width) = (block.sizes.last!, piece.box.sizes.last!)
    let first = block.start.last! - piece.box.start.last!
    let whole = block.withoutColumns.adding(start: piece.box.start.last!, size: width)
    let wide = floats(whole, piece)
    var values = [Int8](repeating: 0, count: block.sizes.reduce(1, *))
    var scales = [Float](repeating: 0, count: block.withoutColumns.sizes.reduce(1, *))
    wide.withUnsafeBufferPointer { wide in
      values.withUnsafeMutableBufferPointer { values in
        for row in scales.indices {
          let numbers = UnsafeBufferPointer(rebasing: wide[row * width..<(row + 1) * width])
          guard let scale = RowQuantization.scale(of: numbers) else {
            hasNotFinite = true
            continue
          }
          scales[row] = scale
          RowQuantization.quantize(
            UnsafeBufferPointer(rebasing: numbers[first..<first + columns]), scale: scale,
            to: UnsafeMutableBufferPointer(
              rebasing: values[row * columns..<(row + 1) * columns]))
        }
      }
    }
    return (values, scales)
  }

  /// A block of a matrix that is stored in 8 bits, in f32.
  private func dequantized(_ block: Region, _ piece: NameMap.Piece) -> [Float] {
    let (columns, integers) = (block.sizes.last!, bytes(block, piece))
    let scales = scales(block.withoutColumns, piece)
    return [Float](unsafeUninitializedCapacity: integers.count) { numbers, count in
      integers.withUnsafeBytes { integers in
        let integers = integers.bindMemory(to: Int8.self)
        for row in scales.indices {
          let range = row * columns..<(row + 1) * columns
          RowQuantization.dequantize(
            UnsafeBufferPointer(rebasing: integers[range]), scale: scales[row],
            to: UnsafeMutableBufferPointer(rebasing: numbers[range]))
        }
      }
      count = integers.count
    }
  }

  /// The stored scales of some rows.
  private func scales(_ rows: Region, _ piece: NameMap.Piece) -> [Float] {
    var region = rows.moved(from: piece.scales.box, rank: piece.scales.shape.count)
    let type = files.types[piece.scales.disk]!
    // A column of scales.
    if type.shape.rank > region.sizes.count { region = region.adding(start: 0, size: 1) }
    return converted(files.bytes(piece.scales.disk, region), type.dtype)
  }

  /// A part of an array on disk in f32.
  private func floats(_ part: Region, _ piece: NameMap.Piece) -> [Float] {
    converted(bytes(part, piece), stored(piece))
  }

  private func converted(_ bytes: [UInt8], _ dtype: DType) -> [Float] {
    [Float](unsafeUninitializedCapacity: bytes.count / dtype.byteCount) { numbers, count in
      count = bytes.count / dtype.byteCount
      _ = bytes.withUnsafeBytes {
        ElementConversion.convert($0, dtype, to: UnsafeMutableRawBufferPointer(numbers), .float32)
      }
    }
  }

  /// The element type of an array on disk.
  private func stored(_ piece: NameMap.Piece) -> DType { files.types[piece.disk]!.dtype }

  /// A part of an array on disk as it is stored, dense.
  private func bytes(_ part: Region, _ piece: NameMap.Piece) -> [UInt8] {
    guard let mapped = files.mapped(piece.disk) else {
      let region = part.moved(from: piece.box, rank: piece.shape.count)
      return files.bytes(
        piece.disk,
        (0..<piece.unitAxes).reduce(region) { region, _ in region.adding(start: 0, size: 1) })
    }
    return withExtendedLifetime(mapped.owner) {
      part.bytes(of: piece.box, mapped.bytes, width: stored(piece).byteCount)
    }
  }

  /// Copies a part of an array on disk to a region.
  private func copy(
    _ part: Region, _ piece: NameMap.Piece, to region: Region,
    _ target: UnsafeMutableRawBufferPointer, width: Int
  ) {
    if let mapped = files.mapped(piece.disk) {
      return withExtendedLifetime(mapped.owner) {
        region.copy(from: piece.box, mapped.bytes, to: target, width: width)
      }
    }
    bytes(part, piece).withUnsafeBytes {
      region.copy(from: part, $0, to: target, width: width)
    }
  }

  /// Releases the memory of a mapped file that has been read.
  private func release(_ piece: NameMap.Piece) {
    if let mapped = files.mapped(piece.disk) { mapped.owner.release(mapped.bytes) }
  }
}

extension NameMap.Piece {
  /// The array on disk with the scales of this matrix's rows, where it is stored in 8 bits.
  var scales: NameMap.Piece {
    NameMap.Piece(
      disk: disk + QuantizedTensor.scaleSuffix, shape: Array(shape.dropLast()),
      box: box.withoutColumns)
  }
}

extension Region {
  /// The rows of this region of a matrix.
  var withoutColumns: Region {
    Region(start: Array(start.dropLast()), sizes: Array(sizes.dropLast()))
  }

  /// This region with one more axis, the last.
  fileprivate func adding(start: Int, size: Int) -> Region {
    Region(start: self.start + [start], sizes: sizes + [size])
  }

  /// A part of an array in the array's own coordinates.
  ///
  /// - Parameters:
  ///   - box: the region of the array.
  ///   - rank: the number of last axes that the array has.
  fileprivate func moved(from box: Region, rank: Int) -> Region {
    let places = start.indices.suffix(rank)
    return Region(
      start: places.map { start[$0] - box.start[$0] }, sizes: places.map { sizes[$0] })
  }

  /// This region in consecutive blocks of at most so many elements, none of which divides a row: the
  /// last axis is whole in each.
  func blocks(of count: Int) -> [Region] {
    guard sizes.reduce(1, *) > count, let axis = sizes.dropLast().firstIndex(where: { $0 > 1 })
    else { return [self] }
    let inner = sizes[(axis + 1)...].reduce(1, *)
    let step = max(1, count / inner)
    return stride(from: 0, to: sizes[axis], by: step).flatMap { offset in
      var (start, sizes) = (start, sizes)
      start[axis] += offset
      sizes[axis] = min(step, sizes[axis] - offset)
      return Region(start: start, sizes: sizes).blocks(of: count)
    }
  }
}

/// Memory at an address that the CPU's plugin can take as it is.
///
/// It is `@unchecked Sendable` because it is written before it is shared.
final class AlignedMemory: @unchecked Sendable {
  static let alignment = 64

  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: Self.alignment)
  }

  deinit { bytes.deallocate() }
}
