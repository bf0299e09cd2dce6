/// Writes the subset of the protocol buffers wire format that compile options and event files use.
package struct ProtobufWriter {
  /// The message so far.
  package private(set) var bytes: [UInt8] = []

  /// Begins an empty message.
  package init() {}

  /// Writes a field of an integer.
  package mutating func write(_ field: Int, _ value: Int) {
    tag(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func write(_ field: Int, _ value: Bool) { write(field, value ? 1 : 0) }

  /// Writes a field of type double.
  package mutating func write(_ field: Int, _ value: Double) {
    tag(field, 1)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
  }

  /// Writes a field of type float.
  package mutating func write(_ field: Int, _ value: Float) {
    tag(field, 5)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
  }

  /// Writes a field of text.
  package mutating func write(_ field: Int, _ value: String) { write(field, Array(value.utf8)) }

  /// Writes a field that is a message.
  package mutating func write(_ field: Int, _ message: ProtobufWriter) {
    write(field, message.bytes)
  }

  mutating func write(_ field: Int, packed values: [Int]) {
    var content = ProtobufWriter()
    for value in values { content.varint(UInt64(bitPattern: Int64(value))) }
    write(field, content.bytes)
  }

  /// Writes a field of bytes.
  package mutating func write(_ field: Int, _ content: [UInt8]) {
    tag(field, 2)
    varint(UInt64(content.count))
    bytes += content
  }

  private mutating func tag(_ field: Int, _ wireType: Int) { varint(UInt64(field << 3 | wireType)) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
