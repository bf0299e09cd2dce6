import Files
import Foundation
import Tensors

extension SafeTensors {
  /// Writes arrays atomically: to a temporary file beside the target, which it replaces once all
  /// data are on the disk. Equal arrays give equal files.
  ///
  /// The data begin at a multiple of 64 bytes and wider elements come first, so that every array is
  /// aligned in a mapped file.
  ///
  /// - Parameters:
  ///   - types: the arrays' types; arrays of equal width keep this order.
  ///   - metadata: texts about the file.
  ///   - bytes: the dense row-major bytes of an array, called once for each array in order.
  /// - Throws: `FileError.unwritable`, `otherKind` where the path holds anything other than a
  ///   safetensors file, and the errors of `bytes`; an existing file stays.
  public static func write(
    _ types: Named<TensorType>, metadata: [String: String] = [:], to path: String,
    bytes: (String) throws -> [UInt8]
  ) throws {
    let file = try stage(types, metadata: metadata, at: path, bytes: bytes)
    try file.commit()
  }

  /// Writes the temporary file.
  static func stage(
    _ types: Named<TensorType>, metadata: [String: String], at path: String,
    bytes: (String) throws -> [UInt8]
  ) throws -> StagedFile {
    let order = types.pairs.enumerated().sorted {
      let widths = ($0.element.value.dtype.byteCount, $1.element.value.dtype.byteCount)
      return widths.0 != widths.1 ? widths.0 > widths.1 : $0.offset < $1.offset
    }.map(\.element)
    let file = try StagedFile(path, as: .safetensors)
    let header = try header(order, metadata: metadata, path: path)
    try header.withUnsafeBytes { try file.write($0) }
    for (name, type) in order {
      let data = try bytes(name)
      precondition(data.count == type.byteCount, "\(name) has a wrong byte count")
      try data.withUnsafeBytes { try file.write($0) }
    }
    try file.finish()
    return file
  }

  private static func header(
    _ arrays: [(name: String, value: TensorType)], metadata: [String: String], path: String
  ) throws(FileError) -> [UInt8] {
    var fields: [String: Any] = metadata.isEmpty ? [:] : ["__metadata__": metadata]
    var end = 0
    for (name, type) in arrays {
      fields[name] =
        [
          "dtype": self.name(of: type.dtype), "shape": type.shape.sizes,
          "data_offsets": [end, end + type.byteCount],
        ] as [String: Any]
      end += type.byteCount
    }
    var header: Data
    do {
      header = try JSONSerialization.data(
        withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])
    } catch {
      throw .unwritable(path: path, reason: "its header is no JSON: \(error)")
    }
    header += Data(repeating: UInt8(ascii: " "), count: (64 - (8 + header.count) % 64) % 64)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + Array(header)
  }
}
