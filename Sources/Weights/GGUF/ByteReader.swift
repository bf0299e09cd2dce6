/// An error in the bytes of a binary header.
struct ByteFault: Error {
  let reason: String
}

/// Reads little-endian numbers and texts one after the other; every bound is checked.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  /// The offset of the next byte.
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The number of bytes that follow.
  var rest: Int { bytes.count - offset }

  /// Reads a number; `what` is what messages call it.
  mutating func number<Number: FixedWidthInteger>(
    _: Number.Type = Number.self, _ what: String
  ) throws(ByteFault) -> Number {
    let size = MemoryLayout<Number>.size
    guard rest >= size else { throw Self.end(what) }
    defer { offset += size }
    return Number(
      littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
  }

  /// Reads a number of 64 bits that counts something; it must be at most `limit`.
  mutating func count(_ what: String, atMost limit: Int) throws(ByteFault) -> Int {
    let count = try number(UInt64.self, what)
    guard count <= UInt64(limit) else {
      throw ByteFault(reason: "\(what) is \(count), more than the file has room for")
    }
    return Int(count)
  }

  /// Reads a text behind its length.
  mutating func text(_ what: String) throws(ByteFault) -> String {
    let length = try count("the length of \(what)", atMost: rest)
    guard length <= rest else { throw Self.end(what) }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw ByteFault(reason: "\(what) is not UTF-8 text")
    }
    offset += length
    return text
  }

  /// Passes over some bytes.
  mutating func skip(_ count: Int, _ what: String) throws(ByteFault) {
    guard count <= rest else { throw Self.end(what) }
    offset += count
  }

  private static func end(_ what: String) -> ByteFault {
    ByteFault(reason: "it ends within \(what)")
  }
}
