import Foundation
import Tensors

/// The JSON header of a safetensors file.
///
/// Unknown fields of an array are ignored, as in the reference implementation: the data do not
/// depend on them.
struct SafeTensorsHeader {
  /// One array.
  struct Entry {
    let name: String
    let dtype: DType
    let shape: [Int]
    let begin: Int
    let end: Int

    /// The bytes that the type takes, nil for a number beyond all bounds.
    var byteCount: Int? { JSONValues.byteCount(shape, width: dtype.byteCount) }
  }

  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]

  private static let types = Dictionary(
    uniqueKeysWithValues: DType.allCases.map { (SafeTensors.name(of: $0), $0) })

  init(_ json: [UInt8]) throws(JSONFault) {
    let fields = try JSONValues.object(json, what: "its header")
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      if name == "__metadata__" {
        metadata = try Self.metadata(value)
      } else {
        entries.append(try Self.entry(name, value))
      }
    }
  }

  private static func metadata(_ value: Any) throws(JSONFault) -> [String: String] {
    if value is NSNull { return [:] }
    guard let fields = value as? [String: Any] else {
      throw JSONFault(
        reason: "its metadata are \(JSONValues.kind(value)), an object of texts is expected")
    }
    var texts: [String: String] = [:]
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      guard let text = value as? String else {
        throw JSONFault(
          reason: "its metadata have \(JSONValues.kind(value)) as \(name), a text is expected")
      }
      texts[name] = text
    }
    return texts
  }

  private static func entry(_ name: String, _ value: Any) throws(JSONFault) -> Entry {
    guard let fields = value as? [String: Any] else {
      throw JSONFault(
        reason: "\(name) is \(JSONValues.kind(value)), an object with dtype, shape and "
          + "data_offsets is expected")
    }
    func field<T>(_ key: String, _ expected: String, _ type: T.Type) throws(JSONFault) -> T {
      guard let value = fields[key] else {
        throw JSONFault(reason: "\(name) does not say its \(key)")
      }
      guard let result = value as? T else {
        throw JSONFault(
          reason: "\(name) has \(JSONValues.kind(value)) as its \(key), \(expected) is expected")
      }
      return result
    }
    func numbers(_ key: String) throws(JSONFault) -> [Int] {
      var result: [Int] = []
      for value in try field(key, "an array of whole numbers", [Any].self) {
        guard let number = JSONValues.whole(value) else {
          throw JSONFault(
            reason: "\(name) has \(JSONValues.kind(value)) in its \(key), a whole number from 0 "
              + "to below 2^53 is expected")
        }
        result.append(number)
      }
      return result
    }
    let kind = try field("dtype", "a text", String.self)
    guard let dtype = types[kind] else {
      throw JSONFault(reason: "\(name) has the unknown element type \(kind)")
    }
    let shape = try numbers("shape")
    let offsets = try numbers("data_offsets")
    guard offsets.count == 2 else {
      throw JSONFault(
        reason: "\(name) has \(offsets.count) numbers as its data_offsets, 2 are expected")
    }
    return Entry(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
  }
}
