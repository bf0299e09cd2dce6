import Layers
import Synchronization
import Tensors

extension WeightFiles {
  /// The error that quantization made in one matrix.
  public struct MatrixError: Sendable {
    /// The array's name on disk.
    public let name: String
    /// How it was quantized.
    public let quantization: Quantization
    /// The norm of the difference, squared.
    public let squaredError: Double
    /// The norm of the matrix, squared.
    public let squaredNorm: Double

    /// The norm of the difference relative to that of the matrix; 0 for a matrix of zeros.
    public var relative: Double {
      squaredNorm > 0 ? (squaredError / squaredNorm).squareRoot() : 0
    }
  }

  /// Writes all arrays with some matrices quantized, each with its scales beside it as `NAME_scale`. Other
  /// arrays stay as they are stored; those in blocks become bf16.
  ///
  /// Arrays are read and written one after the other.
  ///
  /// - Parameters:
  ///   - matrices: the names of the arrays to quantize, each with two axes, or with further ones of size 1,
  ///     which are left out. Where columns are not complete groups, a matrix is quantized in 8 bits by rows.
  ///   - quantization: `int8`, `int8Groups` or `int4`.
  ///   - path: the file; several are named after it.
  ///   - largest: the bytes of data in a file, which only a single larger array exceeds.
  ///   - progress: called after every matrix.
  /// - Returns: the error of every matrix.
  /// - Throws: as `write`, and `WeightsError.notFinite`.
  public func writeQuantized(
    _ matrices: Set<String>, as quantization: Quantization, to path: String,
    largest: Int = 5 << 30, progress: (MatrixError) -> Void = { _ in }
  ) throws -> [MatrixError] {
    var types = Named<TensorType>()
    // Scales that arrays have now go with the arrays that they belong to.
    let old = Set(matrices.flatMap { StoredArray.scaleNames(of: $0) })
    for (name, type) in self.types.pairs where !old.contains(name) && !Self.isBeside(name, matrices)
    {
      guard matrices.contains(name) else {
        types[name] = blocks(name) == nil ? type : TensorType(type.shape, .bfloat16)
        continue
      }
      let shape = matrixShape(name)
      let own = Self.quantization(quantization, of: shape)
      (types[name], types[name + QuantizedTensor.scaleSuffix]) = (
        own.types(of: shape).values, own.types(of: shape).scales
      )
    }
    var errors: [MatrixError] = []
    var (pending, scales): ((name: String, values: [UInt8])?, [String: [UInt8]]) = (nil, [:])
    /// The numbers of a matrix; the scales are kept, which are written before or after it.
    func quantized(_ name: String) throws -> [UInt8] {
      if let found = pending, found.name == name { return found.values }
      let (matrix, error) = try self.quantized(name, as: quantization)
      if scales[name] == nil {
        errors.append(error)
        progress(error)
      }
      scales[name] = matrix.scales
      pending = (name, matrix.values)
      return matrix.values
    }
    try Self.write(types, metadata: metadata, to: path, largest: largest, protecting: paths) {
      name in
      if matrices.contains(name) { return try quantized(name) }
      if name.hasSuffix(QuantizedTensor.scaleSuffix) {
        let matrix = String(name.dropLast(QuantizedTensor.scaleSuffix.count))
        if matrices.contains(matrix) {
          if scales[matrix] == nil { _ = try quantized(matrix) }
          return scales[matrix]!
        }
      }
      return unchanged(name)
    }
    return errors
  }

  /// Whether an array says something of the old form of a matrix.
  private static func isBeside(_ name: String, _ matrices: Set<String>) -> Bool {
    guard let dot = name.lastIndex(of: ".") else { return false }
    let own = String(name[name.index(after: dot)...])
    return Layout.besides.contains(own) && matrices.contains(name[...dot] + "weight")
  }

  /// The shape of a matrix, of which an array may hold two columns in each element, or which may be the
  /// kernel of a convolution with one tap.
  private func matrixShape(_ name: String) -> Shape {
    let type = types[name]!
    let isPacked = type.dtype == .uint8 && types[name + QuantizedTensor.scaleSuffix] != nil
    if isPacked { return type.shape.replacing(-1, with: 2 * type.shape[-1]) }
    let isKernel = type.shape.sizes.dropFirst(2).allSatisfy { $0 == 1 }
    return isKernel ? Shape(Array(type.shape.sizes.prefix(2))) : type.shape
  }

  private static func quantization(_ wanted: Quantization, of shape: Shape) -> Quantization {
    precondition(shape.rank == 2, "a matrix has two axes, not \(shape)")
    return wanted.hasGroups && shape[-1] % Quantization.groupSize != 0 ? .int8 : wanted
  }

  private func quantized(
    _ name: String, as wanted: Quantization
  ) throws -> (matrix: QuantizedMatrix, error: MatrixError) {
    let shape = matrixShape(name)
    let (columns, quantization) = (shape[-1], Self.quantization(wanted, of: shape))
    let piece = NameMap.Piece(
      disk: name, shape: shape.sizes, box: Region(whole: shape),
      unitAxes: types[name]!.shape.rank - shape.rank)
    let array = StoredArray(self, piece)
    defer { array.release() }
    let blocks = Region(whole: shape).blocks(of: RegionReader.block)
    let done = Mutex([Int: (matrix: QuantizedMatrix, error: Double, norm: Double)]())
    Parallel.forEach(blocks.count) { i in
      let numbers = array.floats(blocks[i])
      guard
        let matrix = QuantizedMatrix(
          numbers, columns: columns, taking: 0..<columns, as: quantization)
      else { return }
      var (error, norm) = (0.0, 0.0)
      for (number, near) in zip(numbers, matrix.dequantized(columns: columns)) {
        let difference = Double(number - near)
        error += difference * difference
        norm += Double(number) * Double(number)
      }
      let result = (matrix, error, norm)
      done.withLock { $0[i] = result }
    }
    let parts = done.withLock { done in blocks.indices.map { done[$0] } }
    guard !parts.contains(where: { $0 == nil }) else {
      throw WeightsError.notFinite(path: self.path, names: [name])
    }
    let all = parts.map { $0! }
    return (
      QuantizedMatrix(joining: all.map(\.matrix), quantization),
      MatrixError(
        name: name, quantization: quantization, squaredError: all.reduce(0) { $0 + $1.error },
        squaredNorm: all.reduce(0) { $0 + $1.norm })
    )
  }

  /// The bytes of an array that is not quantized.
  private func unchanged(_ name: String) -> [UInt8] {
    let type = types[name]!
    let bytes = bytes(name, Region(whole: type.shape))
    guard blocks(name) != nil else { return bytes }
    return [UInt8](unsafeUninitializedCapacity: 2 * type.shape.count) { target, count in
      count = 2 * type.shape.count
      _ = bytes.withUnsafeBytes {
        ElementConversion.convert(
          $0, .float32, to: UnsafeMutableRawBufferPointer(target), .bfloat16)
      }
    }
  }
}
