import Foundation
import Testing

@testable import Golden

/// A copy of a case that a test may damage; it is gone with this object.
final class CaseCopy {
  /// The folder of the cases.
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").path

  let path: String

  init(_ name: String) throws {
    path = NSTemporaryDirectory() + "golden-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(name)", toPath: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The files of arrays.
  enum File: String { case inputs, expected }

  /// An array as it stands in a file.
  struct Array {
    var type: String
    var shape: [Int]
    var bytes: Data

    /// The same shape, with one f32 number everywhere.
    func filled(with number: Float) -> Array {
      let count = shape.reduce(1, *)
      let bytes = [Float](repeating: number, count: count).withUnsafeBytes { Data($0) }
      return Array(type: "F32", shape: shape, bytes: bytes)
    }

    /// All rows but the last, or one element where there are no rows.
    var shorter: Array {
      guard let rows = shape.first else {
        return Array(type: type, shape: [2], bytes: bytes + bytes)
      }
      let width = bytes.count / rows
      return Array(
        type: type, shape: [rows - 1] + shape.dropFirst(), bytes: bytes.prefix(width * (rows - 1)))
    }

    /// The same elements on one axis more.
    var deeper: Array { Array(type: type, shape: [1] + shape, bytes: bytes) }
  }

  /// Rewrites a file of arrays.
  func edit(_ file: File, _ change: (inout [String: Array]) throws -> Void) throws {
    let place = URL(fileURLWithPath: "\(path)/\(file.rawValue).safetensors")
    let data = try Data(contentsOf: place)
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try JSONSerialization.jsonObject(with: data[8..<8 + length])
    var arrays: [String: Array] = [:]
    for case (let name, let entry as [String: Any]) in header as? [String: Any] ?? [:] {
      guard let type = entry["dtype"] as? String, let shape = entry["shape"] as? [Int],
        let offsets = entry["data_offsets"] as? [Int]
      else { continue }
      let bytes = data[(8 + length + offsets[0])..<(8 + length + offsets[1])]
      arrays[name] = Array(type: type, shape: shape, bytes: Data(bytes))
    }
    try change(&arrays)
    var (entries, body) = ([String: Any](), Data())
    for (name, array) in arrays.sorted(by: { $0.key < $1.key }) {
      entries[name] = [
        "dtype": array.type, "shape": array.shape,
        "data_offsets": [body.count, body.count + array.bytes.count],
      ]
      body += array.bytes
    }
    let text = try JSONSerialization.data(withJSONObject: entries)
    let size = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }
    try (size + text + body).write(to: place)
  }

  /// The names of a file's arrays.
  func names(_ file: File) throws -> [String] {
    var names: [String] = []
    try edit(file) { names = $0.keys.sorted() }
    return names
  }

  /// Checks the case.
  func check() throws -> [Comparison] {
    try #require(try GoldenCase(folder: path)).check(on: sharedClient.get())
  }

  /// Expects that checking the case ends with one line that contains a hint.
  func expectError(_ hint: String) {
    let error = #expect(throws: GoldenError.self) { try check() }
    let text = error?.description ?? ""
    #expect(text.contains(hint) && !text.contains("\n"), "\(text)")
  }

  /// Rewrites the settings, or those of the case's model.
  func editSettings(
    of file: String = "config.json", _ change: (inout [String: Any]) throws -> Void
  ) throws {
    let place = URL(fileURLWithPath: "\(path)/\(file)")
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: place))
    var settings = object as? [String: Any] ?? [:]
    try change(&settings)
    try JSONSerialization.data(withJSONObject: settings).write(to: place)
  }
}
