/// The value of a header with its parameters, such as `form-data; name="image"`: RFC 9110, 5.6.6.
struct HeaderValue: Equatable {
  /// The value before the parameters, in lower case.
  let value: String
  /// The parameters by their names in lower case.
  let parameters: [String: String]

  /// Reads a header's value.
  ///
  /// A value of a parameter is in quotes, where a backslash stands before a quote or another
  /// backslash, or goes up to the next semicolon or blank.
  ///
  /// - Returns: nil where it is malformed or has a parameter twice.
  init?(_ text: String) {
    var reader = Reader(bytes: Array(text.utf8))
    guard let value = reader.word(until: [UInt8(ascii: ";")]), !value.isEmpty else { return nil }
    var parameters: [String: String] = [:]
    reader.skipBlanks()
    while !reader.isAtEnd {
      guard reader.take(UInt8(ascii: ";")) else { return nil }
      reader.skipBlanks()
      // A semicolon may stand behind the last parameter.
      if reader.isAtEnd || reader.isAt(UInt8(ascii: ";")) { continue }
      guard let name = reader.word(until: [UInt8(ascii: ";"), UInt8(ascii: "=")]), !name.isEmpty,
        reader.take(UInt8(ascii: "=")), let content = reader.content(),
        parameters.updateValue(content, forKey: name.lowercased()) == nil
      else { return nil }
      reader.skipBlanks()
    }
    (self.value, self.parameters) = (value.lowercased(), parameters)
  }

  /// A place in a header's value.
  private struct Reader {
    let bytes: [UInt8]
    var place = 0

    var isAtEnd: Bool { place == bytes.count }

    func isAt(_ byte: UInt8) -> Bool { place < bytes.count && bytes[place] == byte }

    mutating func take(_ byte: UInt8) -> Bool {
      guard isAt(byte) else { return false }
      place += 1
      return true
    }

    mutating func skipBlanks() {
      while isAt(0x20) || isAt(0x09) { place += 1 }
    }

    /// The visible characters up to one of `ends`, a blank or the end; nil with others and quotes.
    mutating func word(until ends: [UInt8]) -> String? {
      let start = place
      while place < bytes.count, !ends.contains(bytes[place]), !isAt(0x20), !isAt(0x09) {
        guard bytes[place] > 0x20, bytes[place] != 0x7F, bytes[place] != UInt8(ascii: "\"") else {
          return nil
        }
        place += 1
      }
      return String(validating: bytes[start..<place], as: UTF8.self)
    }

    /// The value of a parameter; nil where it is empty without quotes, or its quotes do not end.
    mutating func content() -> String? {
      guard take(UInt8(ascii: "\"")) else {
        return word(until: [UInt8(ascii: ";")]).flatMap { $0.isEmpty ? nil : $0 }
      }
      var content: [UInt8] = []
      while place < bytes.count {
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""): return String(validating: content, as: UTF8.self)
        case UInt8(ascii: "\\"):
          guard place < bytes.count else { return nil }
          content.append(bytes[place])
          place += 1
        default: content.append(byte)
        }
      }
      return nil
    }
  }
}
