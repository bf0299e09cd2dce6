import Foundation
import Tensors

@testable import Weights

/// A folder of its own for one test, removed with its contents afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = NSTemporaryDirectory() + "weights-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// Writes a safetensors file as given, right or wrong, and opens it.
func open(header: String, data: [UInt8] = [], length: UInt64? = nil) throws -> SafeTensors {
  let text = Array(header.utf8)
  let count = withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { Array($0) }
  return try open(bytes: count + text + data)
}

/// Writes a file of some bytes and opens it.
func open(bytes: [UInt8]) throws -> SafeTensors {
  try withFolder { folder in
    let path = folder + "/file.safetensors"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try SafeTensors(path: path)
  }
}

/// What is wrong with a file by `WeightsError.damaged`; nil where nothing is, or something else.
func damage(_ body: () throws -> SafeTensors) -> String? {
  do {
    _ = try body()
  } catch WeightsError.damaged(_, let reason) {
    return reason
  } catch {
    return nil
  }
  return nil
}

extension SafeTensors {
  /// A copy of an array's bytes: those of `bytes` go with the file.
  func copy(_ name: String) -> [UInt8]? {
    withExtendedLifetime(self) { bytes(name).map(Array.init) }
  }
}

/// Writes arrays that are in memory.
func write(
  _ arrays: Named<(type: TensorType, bytes: [UInt8])>, metadata: [String: String] = [:],
  to path: String
) throws {
  try SafeTensors.write(arrays.mapValues(\.type), metadata: metadata, to: path) {
    arrays[$0]!.bytes
  }
}
