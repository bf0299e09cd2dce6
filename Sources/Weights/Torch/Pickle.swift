/// A value that Python's `pickle` describes, of the few kinds that files of arrays are made of.
///
/// Nothing is run: functions and classes are names here, and others than those of arrays are errors.
indirect enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case text(String)
  case tuple([PickleValue])
  case list([PickleValue])
  /// A dictionary in its order.
  case pairs([(key: PickleValue, value: PickleValue)])
  /// A function or class by its full name.
  case global(String)
  /// What the file calls by a persistent identifier.
  case persistent(PickleValue)
  /// A call of a function.
  case call(String, [PickleValue])
}

/// Reads values in the format of Python's `pickle`, up to protocol 4: the opcodes that PyTorch's files of
/// arrays have.
struct PickleReader {
  private let bytes: UnsafeRawBufferPointer
  /// The place of the next byte.
  private(set) var place: Int
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  init(_ bytes: UnsafeRawBufferPointer, at place: Int = 0) {
    (self.bytes, self.place) = (bytes, place)
  }

  /// The next value.
  ///
  /// - Throws: `ByteFault` for an opcode that is not known, and where the file ends too early.
  mutating func next() throws(ByteFault) -> PickleValue {
    (stack, marks, memo) = ([], [], [:])
    while true {
      let opcode = try integer(UInt8.self)
      if opcode == UInt8(ascii: ".") { return try pop() }
      try run(opcode)
    }
  }

  private mutating func run(_ opcode: UInt8) throws(ByteFault) {
    switch opcode {
    case 0x80: place += 1  // PROTO
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.int(Int(try integer(UInt8.self))))
    case UInt8(ascii: "M"): stack.append(.int(Int(try integer(UInt16.self))))
    case UInt8(ascii: "J"): stack.append(.int(Int(try integer(Int32.self))))
    case 0x8A: stack.append(.int(try longInteger()))
    case UInt8(ascii: "G"): stack.append(.float(try float()))
    case 0x8C: stack.append(.text(try text(Int(try integer(UInt8.self)))))
    case UInt8(ascii: "X"): stack.append(.text(try text(Int(try integer(UInt32.self)))))
    case UInt8(ascii: "c"): stack.append(.global(try Self.known("\(try line()).\(try line())")))
    case 0x93: try global()
    case 0x95: _ = try integer(UInt64.self)  // FRAME: the length of what follows.
    case 0x94: memo[memo.count] = try top()  // MEMOIZE
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: ")"): stack.append(.tuple([]))
    case UInt8(ascii: "]"): stack.append(.list([]))
    case UInt8(ascii: "}"): stack.append(.pairs([]))
    case UInt8(ascii: "t"): stack.append(.tuple(try popToMark()))
    case 0x85...0x87:
      let items = try pop(count: Int(opcode) - 0x84)
      stack.append(.tuple(items))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "s"): try set(try pop(count: 2))
    case UInt8(ascii: "u"): try set(try popToMark())
    case UInt8(ascii: "q"): memo[Int(try integer(UInt8.self))] = try top()
    case UInt8(ascii: "r"): memo[Int(try integer(UInt32.self))] = try top()
    case UInt8(ascii: "h"): try recall(Int(try integer(UInt8.self)))
    case UInt8(ascii: "j"): try recall(Int(try integer(UInt32.self)))
    case UInt8(ascii: "Q"): stack.append(.persistent(try pop()))
    case UInt8(ascii: "R"): try call()
    case UInt8(ascii: "b"): _ = try pop()  // BUILD: attributes of an object, which no array has.
    default:
      throw ByteFault(reason: "its pickle has the opcode \(opcode), which no file of arrays has")
    }
  }

  /// A name that a file of arrays may have.
  ///
  /// - Throws: `ByteFault` that says which other one it is.
  private static func known(_ name: String) throws(ByteFault) -> String {
    let makers = [
      "collections.OrderedDict", "torch._utils._rebuild_tensor_v2",
      "torch._utils._rebuild_parameter",
    ]
    guard makers.contains(name) || name.hasPrefix("torch.") && name.hasSuffix("Storage") else {
      throw ByteFault(
        reason: "it holds a \(name), of which Python would run the code; only arrays and plain "
          + "containers are read (save its `state_dict` alone, or convert it to safetensors)")
    }
    return name
  }

  /// A name whose parts are the last two texts.
  private mutating func global() throws(ByteFault) {
    let parts = try pop(count: 2)
    guard case .text(let module) = parts[0], case .text(let name) = parts[1] else {
      throw ByteFault(reason: "its pickle names what is not a text")
    }
    stack.append(.global(try Self.known("\(module).\(name)")))
  }

  private mutating func call() throws(ByteFault) {
    let (arguments, function) = (try pop(), try pop())
    guard case .global(let name) = function, case .tuple(let values) = arguments else {
      throw ByteFault(reason: "its pickle calls what is not a function")
    }
    stack.append(name == "collections.OrderedDict" ? .pairs([]) : .call(name, values))
  }

  private mutating func append(_ items: [PickleValue]) throws(ByteFault) {
    guard case .list(let list) = try pop() else {
      throw ByteFault(reason: "its pickle appends to what is not a list")
    }
    stack.append(.list(list + items))
  }

  private mutating func set(_ items: [PickleValue]) throws(ByteFault) {
    guard case .pairs(let pairs) = try pop(), items.count.isMultiple(of: 2) else {
      throw ByteFault(reason: "its pickle sets items of what is not a dictionary")
    }
    let new = stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }
    stack.append(.pairs(pairs + new))
  }

  private mutating func recall(_ number: Int) throws(ByteFault) {
    guard let value = memo[number] else {
      throw ByteFault(reason: "its pickle recalls value \(number), which it has not memorized")
    }
    stack.append(value)
  }

  private func top() throws(ByteFault) -> PickleValue {
    guard let last = stack.last else { throw ByteFault(reason: "its pickle takes from nothing") }
    return last
  }

  private mutating func pop() throws(ByteFault) -> PickleValue {
    let last = try top()
    stack.removeLast()
    return last
  }

  private mutating func pop(count: Int) throws(ByteFault) -> [PickleValue] {
    guard stack.count >= count else { throw ByteFault(reason: "its pickle takes from nothing") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(ByteFault) -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else {
      throw ByteFault(reason: "its pickle ends a group that it has not begun")
    }
    return try pop(count: stack.count - mark)
  }

  /// A little-endian integer.
  private mutating func integer<T: FixedWidthInteger>(_: T.Type) throws(ByteFault) -> T {
    let size = MemoryLayout<T>.size
    guard place + size <= bytes.count else { throw ByteFault(reason: "its pickle is truncated") }
    defer { place += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: T.self))
  }

  /// A big-endian number of 8 bytes.
  private mutating func float() throws(ByteFault) -> Double {
    Double(bitPattern: try integer(UInt64.self).byteSwapped)
  }

  /// A signed integer of as many bytes as it says, of which 8 are kept: longer ones are marks of formats.
  private mutating func longInteger() throws(ByteFault) -> Int {
    let count = Int(try integer(UInt8.self))
    guard place + count <= bytes.count else { throw ByteFault(reason: "its pickle is truncated") }
    var value: UInt64 = 0
    for index in 0..<min(8, count) { value |= UInt64(bytes[place + index]) << (8 * UInt64(index)) }
    if count > 0, count < 8, bytes[place + count - 1] & 0x80 != 0 {
      value |= UInt64.max << (8 * UInt64(count))
    }
    place += count
    return Int(truncatingIfNeeded: value)
  }

  private mutating func text(_ count: Int) throws(ByteFault) -> String {
    guard count <= bytes.count - place,
      let text = String(validating: bytes[place..<place + count], as: UTF8.self)
    else { throw ByteFault(reason: "its pickle has a text that is truncated or not UTF-8") }
    place += count
    return text
  }

  /// The text up to the end of the line.
  private mutating func line() throws(ByteFault) -> String {
    guard let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) else {
      throw ByteFault(reason: "its pickle is truncated")
    }
    let line = try text(end - place)
    place += 1
    return line
  }
}
