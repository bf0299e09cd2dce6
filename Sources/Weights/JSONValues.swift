import Foundation

/// An error in a JSON text.
struct JSONFault: Error {
  let reason: String
}

/// JSON from outside, in which every value is checked.
enum JSONValues {
  /// An object; `what` is what messages call the text.
  ///
  /// - Throws: `JSONFault` where it is not an object, or an object has a name twice: Foundation
  ///   would ignore one of the two.
  static func object(_ json: some Collection<UInt8>, what: String) throws(JSONFault) -> [String:
    Any]
  {
    let bytes = Array(json)
    // Foundation would read other encodings too, which the search for repeated names does not know.
    guard bytes.first == UInt8(ascii: "{"), !bytes.contains(0) else {
      throw JSONFault(reason: "\(what) is no JSON object")
    }
    let object: Any
    do {
      object = try JSONSerialization.jsonObject(with: Data(bytes))
    } catch {
      throw JSONFault(reason: "\(what) is no JSON")
    }
    guard let fields = object as? [String: Any] else {
      throw JSONFault(reason: "\(what) is no JSON object")
    }
    if let name = repeatedName(bytes) { throw JSONFault(reason: "\(what) names \(name) twice") }
    return fields
  }

  /// A nonnegative integer that a double holds exactly; nil for anything else.
  static func whole(_ value: Any) -> Int? {
    // Foundation reads true as the number 1, of the type c.
    guard let number = value as? NSNumber,
      !["c", "B"].contains(String(cString: number.objCType)),
      let whole = Int(exactly: number.doubleValue), (0..<1 << 53).contains(whole)
    else { return nil }
    return whole
  }

  /// The kind of a value, for messages.
  static func kind(_ value: Any) -> String {
    switch value {
    case is NSNull: "null"
    case is String: "a text"
    case let number as NSNumber:
      ["c", "B"].contains(String(cString: number.objCType))
        ? (number.boolValue ? "true" : "false") : "the number \(number)"
    case is [Any]: "an array"
    case is [String: Any]: "an object"
    default: "something else"
    }
  }

  /// The bytes of an array; nil for a number beyond all bounds, also where another axis has no
  /// elements: the numbers between the axes' ends would be beyond them.
  static func byteCount(_ sizes: [Int], width: Int) -> Int? {
    var product = width
    for size in sizes {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(1, size))
      guard !overflow else { return nil }
      product = next
    }
    return sizes.contains(0) ? 0 : product
  }

  /// A name that an object of valid JSON has twice.
  private static func repeatedName(_ json: [UInt8]) -> String? {
    // The names of each object that is open; nil for an array.
    var open: [Set<String>?] = []
    var expectsName = false
    var i = 0
    while i < json.count {
      switch json[i] {
      case UInt8(ascii: "{"):
        open.append([])
        expectsName = true
      case UInt8(ascii: "["):
        open.append(nil)
        expectsName = false
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        open.removeLast()
        expectsName = false
      case UInt8(ascii: ","): expectsName = open.last.map { $0 != nil } ?? false
      case UInt8(ascii: "\""):
        let start = i
        i += 1
        while i < json.count, json[i] != UInt8(ascii: "\"") {
          i += json[i] == UInt8(ascii: "\\") ? 2 : 1
        }
        if expectsName, i < json.count {
          expectsName = false
          let text = Data(json[start...i])
          let name =
            (try? JSONSerialization.jsonObject(with: text, options: .fragmentsAllowed)) as? String
          if let name, open[open.count - 1]?.insert(name).inserted == false { return name }
        }
      default: break
      }
      i += 1
    }
    return nil
  }
}
