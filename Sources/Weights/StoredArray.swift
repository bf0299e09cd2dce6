import Layers
import Tensors

/// An array on disk that holds a part of a parameter, and how it is stored there.
///
/// Regions are in the parameter's coordinates, in which the array is the box of its piece.
struct StoredArray: Sendable {
  /// How the array is stored.
  enum Form: Equatable {
    /// One number after the other.
    case elements(DType)
    /// Numbers with scales in another array.
    case scaled(Quantization, ScaleArray)
    /// Blocks of a GGUF file.
    case blocks(BlockFormat)
  }

  /// The array with a matrix's scales.
  struct ScaleArray: Equatable {
    /// Its name.
    let name: String
    /// What each scale belongs to.
    let extent: Extent

    enum Extent { case matrix, row, group }
  }

  let piece: NameMap.Piece
  let form: Form
  private let files: WeightFiles

  /// Finds how an array is stored.
  init(_ files: WeightFiles, _ piece: NameMap.Piece) {
    (self.files, self.piece) = (files, piece)
    form = Self.form(files, piece)
  }

  private static func form(_ files: WeightFiles, _ piece: NameMap.Piece) -> Form {
    if let blocks = files.blocks(piece.disk) { return .blocks(blocks.format) }
    guard let type = files.types[piece.disk] else {
      preconditionFailure("\(piece.disk) is missing")
    }
    guard let name = scaleNames(of: piece.disk).first(where: { files.types[$0] != nil }),
      let scales = files.types[name],
      let quantization = Quantization(
        values: type, scales: TensorType(scales.shape.withoutOneColumn(type.shape), scales.dtype))
    else { return .elements(type.dtype) }
    let extent: ScaleArray.Extent =
      quantization.hasGroups ? .group : scales.shape.count == 1 && piece.rows != 1 ? .matrix : .row
    return .scaled(quantization, ScaleArray(name: name, extent: extent))
  }

  /// The names that the scales of an array can have: `x.weight_scale`, and ComfyUI's earlier
  /// `x.scale_weight`.
  static func scaleNames(of array: String) -> [String] {
    var names = [array + QuantizedTensor.scaleSuffix]
    if array.hasSuffix(".weight") { names.append("\(array.dropLast(6))scale_weight") }
    return names
  }

  /// How a parameter of this array alone is kept where nothing else is asked for.
  ///
  /// Matrices stay as they are stored where they can be computed with. What else is stored in fewer
  /// than 16 bits, and blocks of other forms, become bf16.
  func storage(isMatrix: Bool) -> WeightStorage {
    switch form {
    case .elements(let dtype): dtype.isFloat8 && !isMatrix ? .bfloat16 : .dense(dtype)
    case .scaled(let quantization, _): isMatrix ? .quantized(quantization) : .float32
    case .blocks(let format):
      isMatrix && (piece.shape.last ?? 0) % Quantization.groupSize == 0
        ? format.quantization.map { .quantized($0) } ?? .bfloat16 : .bfloat16
    }
  }

  /// The numbers of a region in f32.
  func floats(_ part: Region) -> [Float] {
    switch form {
    case .elements(let dtype): converted(bytes(part), dtype)
    case .scaled(let quantization, let scales): dequantized(part, quantization, scales)
    case .blocks(let format): decoded(part, format)
    }
  }

  /// The bytes of a region of an array of elements as they are stored, dense.
  func bytes(_ part: Region) -> [UInt8] {
    bytes(part, in: piece.box, width: files.types[piece.disk]!.dtype.byteCount)
  }

  private func bytes(_ part: Region, in box: Region, width: Int) -> [UInt8] {
    guard let mapped = files.mapped(piece.disk) else {
      let region = part.moved(from: box, rank: piece.shape.count)
      // Quantized kernels are stored without their unit axes.
      let unitAxes = max(0, files.types[piece.disk]!.shape.rank - piece.shape.count)
      return files.bytes(
        piece.disk,
        (0..<unitAxes).reduce(region) { region, _ in region.adding(start: 0, size: 1) })
    }
    return withExtendedLifetime(mapped.owner) {
      part.bytes(of: box, mapped.bytes, width: width)
    }
  }

  /// Copies the part of a region that this array holds, as it is stored.
  ///
  /// - Parameters:
  ///   - part: the part.
  ///   - region: the region, whose elements are at `target`.
  ///   - columnsPerValue: the columns of the matrix in an element.
  func copy(
    _ part: Region, to region: Region, _ target: UnsafeMutableRawBufferPointer, width: Int,
    columnsPerValue: Int = 1
  ) {
    let packed = { (region: Region) in region.dividingColumns(by: columnsPerValue) }
    if let mapped = files.mapped(piece.disk) {
      return withExtendedLifetime(mapped.owner) {
        packed(region).copy(from: packed(piece.box), mapped.bytes, to: target, width: width)
      }
    }
    bytes(packed(part), in: packed(piece.box), width: width).withUnsafeBytes {
      packed(region).copy(from: packed(part), $0, to: target, width: width)
    }
  }

  /// The stored scales of a region of the matrix, one for each row or for each group of its columns.
  func scales(_ part: Region, _ scales: ScaleArray) -> [Float] {
    let type = files.types[scales.name]!
    let whole = Region(whole: type.shape)
    switch scales.extent {
    case .matrix:
      let scale = converted(files.bytes(scales.name, whole), type.dtype)[0]
      return [Float](repeating: scale, count: part.withoutColumns.sizes.reduce(1, *))
    case .row:
      var rows = part.withoutColumns.moved(
        from: piece.box.withoutColumns, rank: piece.shape.count - 1)
      // A column of scales.
      if type.shape.rank > rows.sizes.count { rows = rows.adding(start: 0, size: 1) }
      return converted(files.bytes(scales.name, rows), type.dtype)
    case .group:
      let size = Quantization.groupSize
      let groups = part.dividingColumns(by: size).moved(
        from: piece.box.dividingColumns(by: size), rank: piece.shape.count)
      return converted(files.bytes(scales.name, groups), type.dtype)
    }
  }

  private func dequantized(
    _ part: Region, _ quantization: Quantization, _ array: ScaleArray
  ) -> [Float] {
    let perValue = quantization.columnsPerValue
    let stored = bytes(
      part.dividingColumns(by: perValue), in: piece.box.dividingColumns(by: perValue), width: 1)
    let scales = scales(part, array)
    let count = part.sizes.reduce(1, *)
    return [Float](unsafeUninitializedCapacity: count) { numbers, initialized in
      stored.withUnsafeBytes {
        QuantizedRows.dequantize(
          $0, scales, quantization, perScale: count / max(1, scales.count), to: numbers)
      }
      initialized = count
    }
  }

  private func decoded(_ part: Region, _ format: BlockFormat) -> [Float] {
    let count = part.sizes.reduce(1, *)
    return [Float](unsafeUninitializedCapacity: count) { numbers, initialized in
      forEachRun(of: part) { run, offset in
        decode(run, format, to: numbers.baseAddress! + offset)
      }
      initialized = count
    }
  }

  /// The blocks of a region whose columns are complete groups, as the values and scales of a quantized
  /// matrix.
  func quantized(_ part: Region, _ format: BlockFormat) -> (values: [UInt8], scales: [UInt8]) {
    guard let blocks = files.blocks(piece.disk) else { preconditionFailure("no blocks") }
    let data = format.blockBytes - 2
    var (values, scales): ([UInt8], [UInt8]) = ([], [])
    withExtendedLifetime(blocks.owner) {
      forEachRun(of: part) { run, _ in
        for block in run.lowerBound / format.blockSize..<run.upperBound / format.blockSize {
          let start = block * format.blockBytes
          scales.append(contentsOf: blocks.bytes[start..<start + 2])
          values.append(contentsOf: blocks.bytes[start + 2..<start + 2 + data])
        }
      }
    }
    return (values, scales)
  }

  /// Calls `body` with the consecutive elements of the stored array that a region consists of, and
  /// where they begin in the region.
  private func forEachRun(of part: Region, _ body: (Range<Int>, Int) -> Void) {
    let region = part.moved(from: piece.box, rank: piece.shape.count)
    let rows = region.sizes.dropLast().reduce(1, *)
    let (width, stored) = (region.sizes.last ?? 1, piece.shape.last ?? 1)
    guard rows * width > 0 else { return }
    var pending: Range<Int>?
    var begin = 0
    for row in 0..<rows {
      // The row's number in the stored array.
      var (rest, place, step) = (row, 0, 1)
      for axis in region.sizes.indices.dropLast().reversed() {
        place += (region.start[axis] + rest % region.sizes[axis]) * step
        rest /= region.sizes[axis]
        step *= piece.shape[axis]
      }
      let start = place * stored + (region.start.last ?? 0)
      if let last = pending, last.upperBound == start {
        pending = last.lowerBound..<start + width
      } else {
        if let last = pending { body(last, begin) }
        (pending, begin) = (start..<start + width, row * width)
      }
    }
    if let last = pending { body(last, begin) }
  }

  /// Decodes consecutive elements of an array in blocks.
  private func decode(
    _ run: Range<Int>, _ format: BlockFormat, to out: UnsafeMutablePointer<Float>
  ) {
    guard let blocks = files.blocks(piece.disk), let base = blocks.bytes.baseAddress else { return }
    let size = format.blockSize
    withExtendedLifetime(blocks.owner) {
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { block in
        for number in run.lowerBound / size..<(run.upperBound + size - 1) / size {
          let source = (base + number * format.blockBytes).assumingMemoryBound(to: UInt8.self)
          let elements = number * size..<(number + 1) * size
          if run.lowerBound <= elements.lowerBound, elements.upperBound <= run.upperBound {
            BlockDecoder.decode(format, source, to: out + (elements.lowerBound - run.lowerBound))
            continue
          }
          BlockDecoder.decode(format, source, to: block.baseAddress!)
          for element in elements.clamped(to: run) {
            out[element - run.lowerBound] = block[element - elements.lowerBound]
          }
        }
      }
    }
  }

  private func converted(_ bytes: [UInt8], _ dtype: DType) -> [Float] {
    [Float](unsafeUninitializedCapacity: bytes.count / dtype.byteCount) { numbers, count in
      count = bytes.count / dtype.byteCount
      _ = bytes.withUnsafeBytes {
        ElementConversion.convert($0, dtype, to: UnsafeMutableRawBufferPointer(numbers), .float32)
      }
    }
  }

  /// The bytes of the array on disk.
  var byteCount: Int { files.storedBytes(piece.disk) }

  /// Begins to read the array from disk, without waiting for it.
  func prefetch() {
    if let mapped = files.mapped(piece.disk) { mapped.owner.prefetch(mapped.bytes) }
    if let blocks = files.blocks(piece.disk) { blocks.owner.prefetch(blocks.bytes) }
  }

  /// Releases the memory of a mapped file that has been read.
  func release() {
    if let mapped = files.mapped(piece.disk) { mapped.owner.release(mapped.bytes) }
    if let blocks = files.blocks(piece.disk) { blocks.owner.release(blocks.bytes) }
  }
}

extension NameMap.Piece {
  /// The rows of the array as a matrix.
  fileprivate var rows: Int { shape.dropLast().reduce(1, *) }
}

extension Shape {
  /// This shape of scales without a last axis of size 1, where it belongs to the rows of a matrix.
  fileprivate func withoutOneColumn(_ matrix: Shape) -> Shape {
    rank == matrix.rank && rank > 0 && sizes.last == 1 && matrix[-1] != Quantization.groupSize
      ? Shape(sizes.dropLast()) : self
  }
}
