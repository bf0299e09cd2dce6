/// Reads the subset of the protocol buffers wire format that compiled programs use.
struct ProtobufReader {
  private let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// The value of a field.
  enum Value {
    case number(UInt64)
    case content(ArraySlice<UInt8>)
  }

  /// The fields in order; nil where the bytes are not a message.
  func fields() -> [(number: Int, value: Value)]? {
    var fields: [(Int, Value)] = []
    var place = bytes.startIndex
    while place < bytes.endIndex {
      guard let tag = Self.varint(bytes, &place) else { return nil }
      let value: Value
      switch tag & 7 {
      case 0:
        guard let number = Self.varint(bytes, &place) else { return nil }
        value = .number(number)
      case 1, 5:
        let width = tag & 7 == 1 ? 8 : 4
        guard bytes.endIndex - place >= width else { return nil }
        value = .content(bytes[place..<place + width])
        place += width
      case 2:
        guard let count = Self.varint(bytes, &place), count <= UInt64(bytes.endIndex - place) else {
          return nil
        }
        value = .content(bytes[place..<place + Int(count)])
        place += Int(count)
      default: return nil
      }
      fields.append((Int(tag >> 3), value))
    }
    return fields
  }

  /// A list of integers, packed or not.
  static func numbers(_ value: Value) -> [Int] {
    switch value {
    case .number(let number): return [Int(truncatingIfNeeded: number)]
    case .content(let bytes):
      var (numbers, place): ([Int], Int) = ([], bytes.startIndex)
      while place < bytes.endIndex, let number = varint(bytes, &place) {
        numbers.append(Int(truncatingIfNeeded: number))
      }
      return numbers
    }
  }

  private static func varint(_ bytes: ArraySlice<UInt8>, _ place: inout Int) -> UInt64? {
    var (result, shift): (UInt64, UInt64) = (0, 0)
    while place < bytes.endIndex, shift < 64 {
      let byte = bytes[place]
      place += 1
      result |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return result }
      shift += 7
    }
    return nil
  }
}
