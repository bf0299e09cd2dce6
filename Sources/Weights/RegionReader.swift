import Layers
import Synchronization
import Tensors

/// Reads regions of one parameter from the arrays on disk that hold it.
///
/// Conversion takes place on the host, a few rows at a time on each core.
struct RegionReader {
  private let arrays: [StoredArray]
  /// The number of finite numbers that became infinite.
  private(set) var infinite = 0
  /// Whether a number that was to be quantized is infinite or NaN.
  private(set) var hasNotFinite = false

  /// The number of elements converted together.
  static let block = 1 << 20

  /// - Parameter pieces: the arrays, see `NameMap.pieces`.
  init(_ files: WeightFiles, _ pieces: [NameMap.Piece]) {
    arrays = pieces.map { StoredArray(files, $0) }
  }

  /// A region in an element type, with scales applied.
  mutating func read(_ region: Region, as dtype: DType) -> AlignedMemory {
    let memory = AlignedMemory(byteCount: region.sizes.reduce(dtype.byteCount, *))
    for (array, part) in PartReader(arrays, region) {
      if array.form == .elements(dtype) {
        array.copy(part, to: region, memory.bytes, width: dtype.byteCount)
      } else {
        infinite += Self.sum(over: part.blocks(of: Self.block)) { block in
          Self.convert(array, block, as: dtype, to: region, memory)
        }
      }
    }
    return memory
  }

  /// Converts a block.
  ///
  /// - Returns: the number of finite numbers that became infinite.
  private static func convert(
    _ array: StoredArray, _ block: Region, as dtype: DType, to region: Region,
    _ memory: AlignedMemory
  ) -> Int {
    let converted = AlignedMemory(byteCount: block.sizes.reduce(dtype.byteCount, *))
    let count: Int
    if case .elements(let stored) = array.form {
      count = array.bytes(block).withUnsafeBytes {
        ElementConversion.convert($0, stored, to: converted.bytes, dtype)
      }
    } else {
      count = array.floats(block).withUnsafeBytes {
        ElementConversion.convert($0, .float32, to: converted.bytes, dtype)
      }
    }
    region.copy(
      from: block, UnsafeRawBufferPointer(converted.bytes), to: memory.bytes,
      width: dtype.byteCount)
    return count
  }

  /// A region of a quantized matrix, and its scales. The scale of a row is that of the whole row, also
  /// where the region has only some of the columns.
  mutating func read(
    _ region: Region, as quantization: Quantization
  ) -> (values: AlignedMemory, scales: AlignedMemory) {
    let target = QuantizedRegion(region, quantization)
    for (array, part) in PartReader(arrays, region) {
      switch array.form {
      case .scaled(quantization, let scales):
        array.copy(
          part, to: region, target.values.bytes, width: 1,
          columnsPerValue: quantization.columnsPerValue)
        target.setScales(part, array.scales(part, scales))
      case .blocks(let format) where format.quantization == quantization:
        _ = Self.sum(over: part.blocks(of: Self.block)) { block in
          let (values, scales) = array.quantized(block, format)
          target.set(block, values: values, scales: scales)
          return 0
        }
      default:
        let notFinite = Self.sum(over: part.blocks(of: Self.block)) { block in
          target.quantize(block, of: array) ? 0 : 1
        }
        if notFinite > 0 { hasNotFinite = true }
      }
    }
    return (target.values, target.scales)
  }

  /// Calls `body` with blocks, several at a time, and adds up what it returns.
  private static func sum(
    over blocks: [Region], _ body: @Sendable (Region) -> Int
  ) -> Int {
    let total = Mutex(0)
    Parallel.forEach(blocks.count) { i in
      let count = body(blocks[i])
      total.withLock { $0 += count }
    }
    return total.withLock { $0 }
  }
}

/// The arrays on disk that hold parts of a region, with these parts.
///
/// While one is used, the disk reads further ones. The memory of an array is released when the next one
/// is asked for.
private struct PartReader: Sequence, IteratorProtocol {
  /// The bytes that are read from disk before they are used.
  private static let ahead = 256 << 20

  private let parts: [(array: StoredArray, part: Region)]
  /// The number of arrays that were used, and of those whose reading has begun.
  private var (used, begun) = (0, 0)
  /// The bytes of arrays that are not yet used and whose reading has begun.
  private var bytes = 0

  init(_ arrays: [StoredArray], _ region: Region) {
    parts = arrays.compactMap { array in
      region.intersection(array.piece.box).map { (array, $0) }
    }
  }

  mutating func next() -> (array: StoredArray, part: Region)? {
    if used > 0 { parts[used - 1].array.release() }
    guard used < parts.count else { return nil }
    while begun < parts.count, begun == used || bytes < Self.ahead {
      parts[begun].array.prefetch()
      bytes += parts[begun].array.byteCount
      begun += 1
    }
    defer { used += 1 }
    bytes -= parts[used].array.byteCount
    return parts[used]
  }
}

/// Memory for a region of a quantized matrix, in which blocks are set by several threads.
private struct QuantizedRegion: Sendable {
  let region: Region
  let quantization: Quantization
  let values: AlignedMemory
  let scales: AlignedMemory

  init(_ region: Region, _ quantization: Quantization) {
    (self.region, self.quantization) = (region, quantization)
    let columns = quantization.columnsPerValue
    values = AlignedMemory(byteCount: region.dividingColumns(by: columns).sizes.reduce(1, *))
    scales = AlignedMemory(
      byteCount: Self.scales(region, quantization).sizes.reduce(
        quantization.scaleType.byteCount, *))
  }

  /// The region of the scales of a region of the matrix.
  private static func scales(_ region: Region, _ quantization: Quantization) -> Region {
    quantization.hasGroups
      ? region.dividingColumns(by: Quantization.groupSize) : region.withoutColumns
  }

  /// Sets the numbers and scales of a block.
  ///
  /// - Parameter scales: the scales' bytes in their element type.
  func set(_ block: Region, values: [UInt8], scales: [UInt8]) {
    let columns = quantization.columnsPerValue
    values.withUnsafeBytes {
      region.dividingColumns(by: columns).copy(
        from: block.dividingColumns(by: columns), $0, to: self.values.bytes, width: 1)
    }
    scales.withUnsafeBytes {
      Self.scales(region, quantization).copy(
        from: Self.scales(block, quantization), $0, to: self.scales.bytes,
        width: quantization.scaleType.byteCount)
    }
  }

  /// Sets the scales of a block.
  func setScales(_ block: Region, _ scales: [Float]) {
    let type = quantization.scaleType
    let bytes = [UInt8](unsafeUninitializedCapacity: scales.count * type.byteCount) {
      bytes, count in
      count = scales.count * type.byteCount
      _ = scales.withUnsafeBytes {
        ElementConversion.convert($0, .float32, to: UnsafeMutableRawBufferPointer(bytes), type)
      }
    }
    bytes.withUnsafeBytes {
      Self.scales(region, quantization).copy(
        from: Self.scales(block, quantization), $0, to: self.scales.bytes, width: type.byteCount)
    }
  }

  /// Sets a block to the numbers of an array, quantized.
  ///
  /// - Returns: whether all of them are finite.
  func quantize(_ block: Region, of array: StoredArray) -> Bool {
    let matrix: QuantizedMatrix?
    if quantization == .int8 {
      // Scales are those of whole rows.
      let (start, width) = (array.piece.box.start.last!, array.piece.box.sizes.last!)
      let rows = array.floats(block.withoutColumns.adding(start: start, size: width))
      let first = block.start.last! - start
      matrix = QuantizedMatrix(
        rows, columns: width, taking: first..<first + block.sizes.last!, as: quantization)
    } else {
      let columns = block.sizes.last!
      matrix = QuantizedMatrix(
        array.floats(block), columns: columns, taking: 0..<columns, as: quantization)
    }
    guard let matrix else { return false }
    set(block, values: matrix.values, scales: matrix.scales)
    return true
  }
}

extension Region {
  /// The rows of this region of a matrix.
  var withoutColumns: Region {
    Region(start: Array(start.dropLast()), sizes: Array(sizes.dropLast()))
  }

  /// This region of a matrix where several columns are one element.
  func dividingColumns(by count: Int) -> Region {
    guard count > 1 else { return self }
    return withoutColumns.adding(start: start.last! / count, size: sizes.last! / count)
  }

  /// This region with one more axis, the last.
  func adding(start: Int, size: Int) -> Region {
    Region(start: self.start + [start], sizes: sizes + [size])
  }

  /// A part of an array in the array's own coordinates.
  ///
  /// - Parameters:
  ///   - box: the region of the array.
  ///   - rank: the number of last axes that the array has.
  func moved(from box: Region, rank: Int) -> Region {
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
/// It is `@unchecked Sendable` because it is written before it is shared, or by threads that each write
/// a part of their own.
final class AlignedMemory: @unchecked Sendable {
  static let alignment = 64

  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: Self.alignment)
  }

  deinit { bytes.deallocate() }
}
