import Foundation
import Tensors
import Testing

@testable import Weights

/// A small whole, `w.safetensors`, in one file or several.
enum SavedWhole {
  /// The names of its files where it has three.
  static let set = (1...3).map { "w-0000\($0)-of-00003.safetensors" }
  /// The name of its index.
  static let index = "w.safetensors.index.json"

  static let types = Named<TensorType>(
    ["a", "b", "c"].map { ($0, TensorType([4], .uint8)) })

  /// Writes three arrays of four bytes of one value.
  static func save(
    _ value: UInt8, to path: String, files: Int, protecting inputs: [String] = [],
    before: (String) throws -> Void = { _ in }
  ) throws {
    try WeightFiles.write(
      types, to: path, largest: [1: 12, 2: 8, 3: 4][files]!, protecting: inputs
    ) { name in
      try before(name)
      return [value, value, value, value]
    }
  }

  /// The values that a whole has.
  static func values(_ path: String) throws -> Set<UInt8> {
    let files = try WeightFiles(path: path)
    return Set(files.types.names.flatMap { files.bytes($0, Region(whole: [4])) })
  }

  static func put(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }
}
