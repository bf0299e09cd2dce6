import Foundation
import Tensors

/// The JSON header of a safetensors file.
struct SafeTensorsHeader {
  /// One array.
  struct Entry {
    let name: String
    let dtype: DType
    let shape: [Int]
    let begin: Int
    let end: Int

    /// The bytes that the type takes, nil for a number beyond all bounds.
    var byteCount: Int? {
      shape.reduce(dtype.byteCount as Int?) { product, size in
        guard let product else { return nil }
        let (next, overflow) = product.multipliedReportingOverflow(by: size)
        return overflow ? nil : next
      }
    }
  }

  /// What is wrong with a header.
  struct Fault: Error {
    let reason: String
  }

  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]

  private static let types = Dictionary(
    uniqueKeysWithValues: DType.allCases.map { (SafeTensors.name(of: $0), $0) })

  init(_ json: [UInt8]) throws(Fault) {
    // Foundation would read other encodings too, which the search for repeated keys does not know.
    guard json.first == UInt8(ascii: "{"), !json.contains(0) else {
      throw Fault(reason: "its header is no JSON object")
    }
    let object: Any
    do {
      object = try JSONSerialization.jsonObject(with: Data(json))
    } catch {
      throw Fault(reason: "its header is no JSON")
    }
    guard let fields = object as? [String: Any] else {
      throw Fault(reason: "its header is no JSON object")
    }
    if let name = Self.repeatedKey(json) { throw Fault(reason: "it names \(name) twice") }
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      if name == "__metadata__" {
        guard let texts = value as? [String: String] else {
          throw Fault(reason: "its metadata are not texts")
        }
        metadata = texts
      } else {
        entries.append(try Self.entry(name, value))
      }
    }
  }

  private static func entry(_ name: String, _ value: Any) throws(Fault) -> Entry {
    guard let fields = value as? [String: Any], fields.count == 3,
      let kind = fields["dtype"] as? String, let shape = fields["shape"] as? [NSNumber],
      let offsets = fields["data_offsets"] as? [NSNumber], offsets.count == 2
    else { throw Fault(reason: "\(name) does not say its dtype, shape and data_offsets") }
    guard let dtype = types[kind] else {
      throw Fault(reason: "\(name) has the unknown element type \(kind)")
    }
    func whole(_ number: NSNumber) throws(Fault) -> Int {
      // Foundation reads true as the number 1, of the type c.
      let isTruth = ["c", "B"].contains(String(cString: number.objCType))
      guard !isTruth, let value = Int(exactly: number.doubleValue), value >= 0, value < 1 << 53
      else {
        throw Fault(reason: "\(name) has the impossible size or offset \(number)")
      }
      return value
    }
    var sizes: [Int] = []
    for number in shape { sizes.append(try whole(number)) }
    return Entry(
      name: name, dtype: dtype, shape: sizes, begin: try whole(offsets[0]),
      end: try whole(offsets[1]))
  }

  /// A key that the outermost object of valid JSON has twice, which Foundation's parser hides.
  private static func repeatedKey(_ json: [UInt8]) -> String? {
    var seen: Set<String> = []
    var depth = 0
    var i = 0
    var expectsKey = false
    while i < json.count {
      switch json[i] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        expectsKey = depth == 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ","): expectsKey = depth == 1
      case UInt8(ascii: "\""):
        let start = i
        i += 1
        while i < json.count, json[i] != UInt8(ascii: "\"") {
          i += json[i] == UInt8(ascii: "\\") ? 2 : 1
        }
        if depth == 1, expectsKey, i < json.count {
          expectsKey = false
          let text = Data(json[start...i])
          let key =
            (try? JSONSerialization.jsonObject(with: text, options: .fragmentsAllowed)) as? String
          if let key, !seen.insert(key).inserted { return key }
        }
      default: break
      }
      i += 1
    }
    return nil
  }
}
