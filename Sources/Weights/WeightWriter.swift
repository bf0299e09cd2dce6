import Runtime
import Files
import Foundation
import Layers
import Tensors

extension WeightFiles {
  /// Writes the parameters of a network under their names on disk, the layers of a stack one by one.
  ///
  /// - Parameters:
  ///   - parameters: the parameters by their names in memory.
  ///   - names: how they are called and laid out on disk.
  ///   - largest: the bytes of data in a file, which only a single larger array exceeds.
  ///   - inputs: files that must stay, see `paths`.
  /// - Throws: as `write`, and the plugin's errors.
  public static func write(
    parameters: Named<ShardedArray>, names: NameMap = NameMap(), metadata: [String: String] = [:],
    to path: String, largest: Int = 5 << 30, protecting inputs: [String] = []
  ) throws {
    let disk = DiskLayout(parameters.types, names)
    var memory = HostCopy(parameters)
    try write(
      disk.types, metadata: metadata, to: path, largest: largest, protecting: inputs
    ) { name in try disk.bytes(name, &memory) }
  }
}

/// What a network's parameters are on disk.
private struct DiskLayout {
  private(set) var types = Named<TensorType>()
  /// The parameters that an array on disk consists of, and its region in the coordinates of each.
  private var sources: [String: [(name: String, box: Region)]] = [:]

  init(_ parameters: Named<TensorType>, _ names: NameMap) {
    let shapes = parameters.mapValues(\.shape)
    for (name, type) in parameters.pairs where !isScales(name, parameters) {
      let pieces = names.pieces(of: name, shapes: shapes)
      let scales = name + QuantizedTensor.scaleSuffix
      for piece in pieces { add(piece, of: name, type.dtype) }
      guard isScales(scales, parameters), let scaleType = parameters[scales] else { continue }
      for piece in pieces {
        add(piece.scales(scaleType, of: type), of: scales, scaleType.dtype)
      }
    }
  }

  /// Whether a parameter is the scales of a quantized matrix, which are arranged on disk as the
  /// matrix is.
  private func isScales(_ name: String, _ parameters: Named<TensorType>) -> Bool {
    guard name.hasSuffix(QuantizedTensor.scaleSuffix), parameters[name] != nil else { return false }
    let matrix = String(name.dropLast(QuantizedTensor.scaleSuffix.count))
    return parameters[matrix].flatMap { Quantization(values: $0, scales: parameters[name]) } != nil
  }

  private mutating func add(_ piece: NameMap.Piece, of name: String, _ dtype: DType) {
    types[piece.disk] = TensorType(Shape(piece.diskShape), dtype)
    sources[piece.disk, default: []].append((name, piece.box))
  }

  /// The dense bytes of an array on disk.
  func bytes(_ name: String, _ memory: inout HostCopy) throws -> [UInt8] {
    let type = types[name]!
    return try [UInt8](unsafeUninitializedCapacity: type.byteCount) { bytes, count in
      for source in sources[name]! {
        let (whole, parameter) = try memory.bytes(source.name)
        whole.withUnsafeBytes {
          source.box.copy(
            from: Region(whole: parameter.shape), $0, to: UnsafeMutableRawBufferPointer(bytes),
            width: type.dtype.byteCount)
        }
      }
      count = type.byteCount
    }
  }
}

/// The parameters on the host, the last one that was looked at: the arrays of a stack's layers are
/// asked for one after the other.
private struct HostCopy {
  private let parameters: Named<ShardedArray>
  private var last: (name: String, bytes: [UInt8])?

  init(_ parameters: Named<ShardedArray>) { self.parameters = parameters }

  mutating func bytes(_ name: String) throws -> (bytes: [UInt8], type: TensorType) {
    if last?.name != name {
      last = nil
      last = (name, try parameters[name]!.bytes())
    }
    return (last!.bytes, parameters[name]!.type)
  }
}

extension NameMap.Piece {
  /// The array on disk with the scales of this quantized matrix.
  ///
  /// - Parameters:
  ///   - scales: the type of the parameter with the scales: one for each row, or for each group of
  ///     columns.
  ///   - values: the type of the parameter with the matrix.
  fileprivate func scales(_ scales: TensorType, of values: TensorType) -> NameMap.Piece {
    let name = disk + QuantizedTensor.scaleSuffix
    guard scales.shape.rank == values.shape.rank else {
      return NameMap.Piece(disk: name, shape: Array(shape.dropLast()), box: box.withoutColumns)
    }
    let groups = box.withoutColumns.adding(start: 0, size: scales.shape[-1])
    return NameMap.Piece(
      disk: name, shape: shape.dropLast() + [scales.shape[-1]], box: groups)
  }
}
