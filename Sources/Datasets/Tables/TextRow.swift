import Foundation

/// What is wrong with a row.
package struct RowFault: Error, Equatable {
  /// The reason.
  package let reason: String

  /// Names the reason.
  package init(_ reason: String) { self.reason = reason }
}

/// A JSON object whose values are texts.
enum JSONRow {
  /// The texts of an object by its keys: a text, a number, or each of a list; other values are left out.
  /// The texts of an object inside have names joined by a dot, as in `image.path`.
  ///
  /// - Throws: `RowFault`.
  static func texts(_ bytes: Slice<UnsafeRawBufferPointer>) throws(RowFault) -> [String: [String]] {
    let object = try? JSONSerialization.jsonObject(with: Data(bytes))
    guard let object = object as? [String: Any] else { throw RowFault("it is not a JSON object") }
    var texts: [String: [String]] = [:]
    add(object, "", &texts)
    return texts
  }

  private static func add(
    _ object: [String: Any], _ prefix: String, _ texts: inout [String: [String]]
  ) {
    for (key, value) in object {
      switch value {
      case let text as String: texts[prefix + key] = [text]
      case let list as [Any]: texts[prefix + key] = list.compactMap { $0 as? String }
      case let inner as [String: Any]: add(inner, "\(prefix)\(key).", &texts)
      case let number as NSNumber: texts[prefix + key] = ["\(number)"]
      default: break
      }
    }
  }
}

/// A record of CSV: RFC 4180.
enum SeparatedRow {
  /// The fields of a record, without the quotation marks around them.
  ///
  /// - Throws: `RowFault` where a field is not closed or is not UTF-8.
  static func fields(
    _ bytes: Slice<UnsafeRawBufferPointer>, by separator: UInt8
  ) throws(RowFault) -> [String] {
    let quote = UInt8(ascii: "\"")
    var record = bytes
    while let last = record.last, last == 0x0A || last == 0x0D { record = record.dropLast() }
    var fields: [[UInt8]] = [[]]
    var (isQuoted, place) = (false, record.startIndex)
    while place < record.endIndex {
      let byte = record[place]
      place += 1
      if byte == quote {
        if isQuoted, place < record.endIndex, record[place] == quote {
          fields[fields.count - 1].append(quote)
          place += 1
        } else if isQuoted || fields[fields.count - 1].isEmpty {
          isQuoted.toggle()
        } else {
          fields[fields.count - 1].append(byte)
        }
      } else if byte == separator, !isQuoted {
        fields.append([])
      } else {
        fields[fields.count - 1].append(byte)
      }
    }
    guard !isQuoted else { throw RowFault("a quotation mark is not closed") }
    var texts: [String] = []
    for field in fields {
      guard let text = String(validating: field, as: UTF8.self) else {
        throw RowFault("it is not text in UTF-8")
      }
      texts.append(text)
    }
    return texts
  }
}
