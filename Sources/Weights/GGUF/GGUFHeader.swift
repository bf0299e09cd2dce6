/// The header of a GGUF file.
struct GGUFHeader {
  /// One array.
  struct Array {
    let name: String
    let format: BlockFormat
    /// The sizes of its axes, the outermost first.
    let shape: [Int]
    /// The place of its bytes in the file.
    let range: Range<Int>
  }

  /// The arrays, in the order of their data.
  private(set) var arrays: [Array] = []
  /// Texts, numbers and truth values.
  private(set) var metadata: [String: String] = [:]
  /// The shapes of arrays that were reshaped to be stored in blocks.
  private var shapes: [String: [Int]] = [:]

  private static let shapePrefix = "comfy.gguf.orig_shape."
  /// The least bytes of an array's description, and of a fact.
  private static let (leastArray, leastFact) = (24, 13)

  init(_ bytes: UnsafeRawBufferPointer) throws(ByteFault) {
    var reader = ByteReader(bytes)
    guard GGUF.begins(bytes) else {
      throw ByteFault(reason: FileContent.strange(bytes) ?? "it does not begin with GGUF")
    }
    try reader.skip(4, "its first bytes")
    let version = try reader.number(UInt32.self, "its version")
    guard version & 0xFFFF != 0 else {
      throw ByteFault(reason: "its numbers are big-endian, which is not supported")
    }
    guard version == 2 || version == 3 else {
      throw ByteFault(reason: "it is of version \(version) of the format; 2 and 3 are supported")
    }
    let count = try reader.count("its number of arrays", atMost: bytes.count / Self.leastArray)
    let facts = try reader.count("its number of facts", atMost: bytes.count / Self.leastFact)
    for _ in 0..<facts { try readFact(&reader) }
    let alignment = try alignment()
    var entries: [Entry] = []
    var names: Set<String> = []
    for number in 0..<count {
      let entry = try Self.entry(&reader, "array \(number + 1) of \(count)")
      guard names.insert(entry.name).inserted else {
        throw ByteFault(reason: "it names \(entry.name) twice")
      }
      entries.append(entry)
    }
    let (padded, overflow) = reader.offset.addingReportingOverflow(alignment - 1)
    guard !overflow else { throw ByteFault(reason: "its alignment is \(alignment)") }
    let start = padded / alignment * alignment
    var end = 0
    for entry in entries.sorted(by: { ($0.offset, $0.name) < ($1.offset, $1.name) }) {
      arrays.append(try place(entry, after: &end, start: start, bytes.count, alignment))
    }
  }

  /// The description of an array.
  private struct Entry {
    let name: String
    let format: BlockFormat
    let shape: [Int]
    let offset: UInt64
  }

  private static func entry(_ reader: inout ByteReader, _ what: String) throws(ByteFault) -> Entry {
    let name = try reader.text("the name of \(what)")
    let rank = try reader.number(UInt32.self, "the number of axes of \(name)")
    guard rank <= 8 else { throw ByteFault(reason: "\(name) has \(rank) axes") }
    var sizes: [Int] = []
    for _ in 0..<rank {
      let size = try reader.number(UInt64.self, "the sizes of \(name)")
      guard size < 1 << 53 else {
        throw ByteFault(reason: "an axis of \(name) has the size \(size)")
      }
      sizes.append(Int(size))
    }
    let type = try reader.number(UInt32.self, "the type of \(name)")
    guard let format = BlockFormat(rawValue: type) else {
      let known = BlockFormat.allCases.map(\.name).joined(separator: ", ")
      throw ByteFault(
        reason: "\(name) is of the type \(type) of ggml, and only these are supported: \(known)")
    }
    let offset = try reader.number(UInt64.self, "the place of \(name)")
    return Entry(name: name, format: format, shape: sizes.reversed(), offset: offset)
  }

  /// Checks the place of an array.
  ///
  /// - Parameter end: the end of the array before.
  private func place(
    _ entry: Entry, after end: inout Int, start: Int, _ size: Int, _ alignment: Int
  ) throws(ByteFault) -> Array {
    let (name, format) = (entry.name, entry.format)
    guard let count = JSONValues.byteCount(entry.shape, width: 1) else {
      throw ByteFault(reason: "the sizes \(entry.shape) of \(name) are beyond all bounds")
    }
    guard (entry.shape.last ?? 1) % format.blockSize == 0 else {
      throw ByteFault(
        reason: "the rows of \(name) \(entry.shape) are not complete blocks of \(format.blockSize)")
    }
    let (bytes, overflow) = (count / format.blockSize).multipliedReportingOverflow(
      by: format.blockBytes)
    guard !overflow else {
      throw ByteFault(reason: "the sizes \(entry.shape) of \(name) are beyond all bounds")
    }
    guard entry.offset % UInt64(alignment) == 0, let offset = Int(exactly: entry.offset) else {
      throw ByteFault(
        reason: "\(name) begins at \(entry.offset), which is no multiple of \(alignment)")
    }
    guard offset >= end else { throw ByteFault(reason: "\(name) overlaps another array") }
    let room = max(0, size - start)
    guard offset <= room, bytes <= room - offset else {
      throw ByteFault(
        reason: "its \(size) bytes end before the data of \(name) do: its download was cut short")
    }
    end = offset + bytes
    var shape = entry.shape
    if let original = shapes[name] {
      guard JSONValues.byteCount(original, width: 1) == count else {
        throw ByteFault(reason: "\(name) \(shape) is said to have the shape \(original)")
      }
      shape = original
    }
    return Array(
      name: name, format: format, shape: shape, range: start + offset..<start + offset + bytes)
  }

  private func alignment() throws(ByteFault) -> Int {
    guard let text = metadata["general.alignment"] else { return 32 }
    guard let alignment = Int(text), alignment > 0, alignment % 8 == 0, alignment <= 1 << 30 else {
      throw ByteFault(reason: "its alignment is \(text), a multiple of 8 is expected")
    }
    return alignment
  }

  /// Reads a fact; arrays of facts are passed over, except for the shapes of arrays.
  private mutating func readFact(_ reader: inout ByteReader) throws(ByteFault) {
    let key = try reader.text("the name of a fact")
    let kind = try reader.number(UInt32.self, "the kind of \(key)")
    guard kind == Kind.array else {
      metadata[key] = try Self.value(&reader, kind, key)
      return
    }
    let element = try reader.number(UInt32.self, "the kind of \(key)")
    let count = try reader.count("the number of elements of \(key)", atMost: reader.rest)
    guard element != Kind.array else {
      throw ByteFault(reason: "\(key) is a list of lists, which is not supported")
    }
    guard key.hasPrefix(Self.shapePrefix) else {
      if let width = Kind.width(element) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: width)
        guard !overflow else { throw ByteFault(reason: "\(key) has \(count) elements") }
        return try reader.skip(bytes, key)
      }
      for _ in 0..<count { _ = try Self.value(&reader, element, key) }
      return
    }
    guard count <= 8 else { throw ByteFault(reason: "\(key) has \(count) sizes") }
    var sizes: [Int] = []
    for _ in 0..<count {
      guard let size = Int(try Self.value(&reader, element, key)), size >= 0 else {
        throw ByteFault(reason: "\(key) has sizes that are not whole numbers")
      }
      sizes.append(size)
    }
    shapes[String(key.dropFirst(Self.shapePrefix.count))] = sizes
  }

  private static func value(
    _ reader: inout ByteReader, _ kind: UInt32, _ what: String
  ) throws(ByteFault) -> String {
    switch kind {
    case 0: "\(try reader.number(UInt8.self, what))"
    case 1: "\(try reader.number(Int8.self, what))"
    case 2: "\(try reader.number(UInt16.self, what))"
    case 3: "\(try reader.number(Int16.self, what))"
    case 4: "\(try reader.number(UInt32.self, what))"
    case 5: "\(try reader.number(Int32.self, what))"
    case 6: "\(Float(bitPattern: try reader.number(UInt32.self, what)))"
    case 7: try reader.number(UInt8.self, what) == 0 ? "false" : "true"
    case 8: try reader.text(what)
    case 10: "\(try reader.number(UInt64.self, what))"
    case 11: "\(try reader.number(Int64.self, what))"
    case 12: "\(Double(bitPattern: try reader.number(UInt64.self, what)))"
    default: throw ByteFault(reason: "\(what) is of the unknown kind \(kind)")
    }
  }

  /// The kinds of facts.
  private enum Kind {
    static let array: UInt32 = 9

    /// The bytes of a number; nil for other kinds.
    static func width(_ kind: UInt32) -> Int? {
      switch kind {
      case 0, 1, 7: 1
      case 2, 3: 2
      case 4, 5, 6: 4
      case 10, 11, 12: 8
      default: nil
      }
    }
  }
}
