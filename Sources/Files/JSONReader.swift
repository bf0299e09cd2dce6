/// A reader of JSON texts, in time linear in their length.
package struct JSONReader {
  private let bytes: UnsafeRawBufferPointer
  /// The largest number of lists and objects inside each other.
  private let deepest: Int
  /// The largest number of values.
  private let mostValues: Int
  private var position = 0
  private var values = 0

  /// Why a text is not valid JSON.
  package struct Failure: Error, Equatable {
    /// The place in the text.
    package let byte: Int
    /// What was found or expected there.
    package let reason: String
  }

  /// Reads one value, with nothing behind it.
  ///
  /// - Parameters:
  ///   - deepest: the largest number of lists and objects inside each other.
  ///   - mostValues: the largest number of values, for texts that are not trusted.
  package static func read(
    _ bytes: UnsafeRawBufferPointer, deepest: Int = 200, mostValues: Int = .max
  ) throws(Failure) -> JSON {
    var reader = JSONReader(bytes: bytes, deepest: deepest, mostValues: mostValues)
    // Some files begin with the mark of UTF-8.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.position = 3 }
    let value = try reader.value(depth: 0)
    reader.skipBlanks()
    guard reader.position == bytes.count else { throw reader.fail("there is text after the value") }
    return value
  }

  private init(bytes: UnsafeRawBufferPointer, deepest: Int, mostValues: Int) {
    (self.bytes, self.deepest, self.mostValues) = (bytes, deepest, mostValues)
  }

  private func fail(_ reason: String) -> Failure { Failure(byte: position, reason: reason) }

  private mutating func skipBlanks() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// Moves behind a character, if it is the next one.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
    guard take(character) else { throw fail("\"\(character)\" was expected") }
  }

  private mutating func value(depth: Int) throws(Failure) -> JSON {
    guard depth <= deepest else { throw fail("it is nested more than \(deepest) deep") }
    values += 1
    guard values <= mostValues else { throw fail("it has more than \(mostValues) values") }
    skipBlanks()
    guard position < bytes.count else { throw fail("a value was expected, and the text ends") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw fail("a value was expected")
    }
  }

  private mutating func word(_ word: String, _ value: JSON) throws(Failure) -> JSON {
    guard bytes[position...].starts(with: word.utf8) else { throw fail("a value was expected") }
    position += word.utf8.count
    return value
  }

  private mutating func object(depth: Int) throws(Failure) -> JSON {
    try expect("{")
    var members: [(key: String, value: JSON)] = []
    if take("}") { return .object(members) }
    repeat {
      skipBlanks()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw fail("a name in quotes was expected")
      }
      let key = try string()
      try expect(":")
      members.append((key, try value(depth: depth + 1)))
    } while take(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array(depth: Int) throws(Failure) -> JSON {
    try expect("[")
    var elements: [JSON] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    try expect("]")
    return .array(elements)
  }

  /// Moves behind one of two bytes, if it is the next one.
  private mutating func skip(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Bool {
    guard position < bytes.count,
      bytes[position] == UInt8(ascii: first) || bytes[position] == UInt8(ascii: second)
    else { return false }
    position += 1
    return true
  }

  /// Moves behind digits, of which there must be one.
  private mutating func skipDigits() throws(Failure) {
    let start = position
    while position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] {
      position += 1
    }
    guard position > start else { throw fail("a digit was expected") }
  }

  /// The longest text of a number; conversion need not be linear.
  private static let longestNumber = 400

  private mutating func number() throws(Failure) -> JSON {
    let start = position
    _ = skip("-", "-")
    let digits = position
    try skipDigits()
    guard position - digits == 1 || bytes[digits] != UInt8(ascii: "0") else {
      throw Failure(byte: digits, reason: "a number begins with 0")
    }
    var isWhole = true
    if skip(".", ".") {
      isWhole = false
      try skipDigits()
    }
    if skip("e", "E") {
      isWhole = false
      _ = skip("+", "-")
      try skipDigits()
    }
    let text = start..<position
    func wrong(_ reason: String) -> Failure { Failure(byte: start, reason: reason) }
    guard text.count <= Self.longestNumber else {
      throw wrong("a number has more than \(Self.longestNumber) characters")
    }
    // Most numbers are short.
    if isWhole, position - digits <= 15 {
      let value = bytes[digits..<position].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
      return .integer(digits > start ? -value : value)
    }
    let number = String(decoding: bytes[text], as: UTF8.self)
    if isWhole, let value = Int(number) { return .integer(value) }
    if isWhole, let value = UInt64(number) { return .unsigned(value) }
    guard let value = Double(number), value.isFinite else {
      throw wrong("a number is beyond the range of 64 bits")
    }
    return .number(value)
  }

  private mutating func string() throws(Failure) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        let range = start..<position
        position += 1
        return try text(UnsafeRawBufferPointer(rebasing: bytes[range]))
      case UInt8(ascii: "\\"): return try escapedString(from: start)
      case 0..<0x20: throw fail("a control character in a string")
      default: position += 1
      }
    }
    throw fail("a string does not end")
  }

  private func text(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw fail("the string before is not UTF-8")
    }
    return text
  }

  /// Reads the rest of a string that has escapes.
  private mutating func escapedString(from start: Int) throws(Failure) -> String {
    var content = [UInt8](bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else {
          throw fail("the string before is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): try content.append(contentsOf: UTF8.encode(escape())!)
      case 0..<0x20: throw fail("a control character in a string")
      default: content.append(byte)
      }
    }
    throw fail("a string does not end")
  }

  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    guard position < bytes.count else { throw fail("a string does not end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "u"):
      let first = try hexadecimal()
      if let scalar = Unicode.Scalar(first) { return scalar }
      // A scalar above 0xFFFF is written as two surrogates.
      guard first < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else {
        throw fail("half of a surrogate pair")
      }
      position += 2
      let second = try hexadecimal()
      guard 0xDC00..<0xE000 ~= second,
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw fail("half of a surrogate pair") }
      return scalar
    default: throw fail("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    let end = position + 4
    guard end <= bytes.count,
      bytes[position..<end].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let value = UInt32(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16)
    else { throw fail("four hexadecimal digits were expected") }
    position = end
    return value
  }
}
