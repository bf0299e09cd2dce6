import Files
import Tensors

/// A file of arrays as PyTorch writes it: an archive with a pickle about the arrays and their numbers, or, as
/// before version 1.6, pickles followed by the numbers.
///
/// The pickles are read as data; no code in them is run, and what would call anything but the makers of
/// arrays is refused. Of a dictionary of dictionaries, as training programs save it, that of the weights for
/// generation is read, see `dictionaries`. Where the axes of some array are stored in another order, as in weights that were
/// converted from TensorFlow's, all arrays are copied into memory.
struct TorchFile: Sendable {
  /// The path of the file.
  let path: String
  /// The arrays' types, in the order of the file's dictionary.
  let types: Named<TensorType>
  private let file: MappedFile
  private let ranges: [String: Range<Int>]

  /// Whether bytes are the start of such a file.
  static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20])
      || TorchArchive.begins(bytes)
  }

  /// Opens a file and checks all of it.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with the reason.
  init(path: String) throws {
    let file = try MappedFile(path)
    do {
      let contents = try Contents(file.bytes)
      types = contents.types
      if contents.orders.isEmpty {
        (self.file, ranges) = (file, contents.ranges)
      } else {
        (self.file, ranges) = contents.reordered(file.bytes)
      }
    } catch {
      throw WeightsError.damaged(path: path, reason: error.reason)
    }
    self.path = path
  }

  /// The bytes of an array, valid for as long as `owner` lives; nil where there is no such array.
  func bytes(_ name: String) -> UnsafeRawBufferPointer? {
    ranges[name].map { UnsafeRawBufferPointer(rebasing: file.bytes[$0]) }
  }

  /// The object that keeps the bytes in memory.
  var owner: MappedFile { file }
}

/// Where the arrays of a file are.
private struct Contents {
  var types = Named<TensorType>()
  var ranges: [String: Range<Int>] = [:]
  /// The strides in elements of the arrays that are not stored in the order of their axes.
  var orders: [String: [Int]] = [:]

  /// The keys of dictionaries of arrays in the files of training programs, the wanted one first.
  private static let dictionaries = [
    "ema", "params_ema", "state_dict", "model", "module", "params",
  ]

  init(_ bytes: UnsafeRawBufferPointer) throws(ByteFault) {
    if TorchArchive.begins(bytes) {
      try addArchive(bytes)
      return
    }
    var reader = PickleReader(bytes)
    // The magic number, the version, and the sizes of the writer's integers.
    for _ in 0..<3 { _ = try reader.next() }
    let arrays = try Self.arrays(in: try reader.next())
    guard case .list(let keys) = try reader.next() else {
      throw ByteFault(reason: "it does not list its storages")
    }
    var widths: [String: Int] = [:]
    for (_, array) in arrays.all { widths[array.storage] = array.dtype.byteCount }
    let storages = try Self.storages(keys, widths, bytes, from: reader.place)
    try add(arrays.chosen) { storages[$0] }
  }

  /// Adds the arrays of an archive.
  private mutating func addArchive(_ bytes: UnsafeRawBufferPointer) throws(ByteFault) {
    let archive = try TorchArchive(bytes)
    guard let place = archive.records["data.pkl"] else {
      throw ByteFault(reason: "it is an archive without the data.pkl that PyTorch writes")
    }
    if let order = archive.records["byteorder"],
      String(decoding: bytes[order], as: UTF8.self) != "little"
    {
      throw ByteFault(reason: "its numbers have the byte order of another kind of computer")
    }
    guard archive.records["constants.pkl"] == nil else {
      throw ByteFault(
        reason:
          "it is a program with its weights (TorchScript), and only weights are read (save its "
          + "`state_dict` alone, or get the weights as transformers or open_clip publishes them)")
    }
    var reader = PickleReader(UnsafeRawBufferPointer(rebasing: bytes[place]))
    try add(Self.arrays(in: try reader.next()).chosen) { archive.records["data/\($0)"] }
  }

  /// Adds arrays whose numbers lie in storages.
  private mutating func add(
    _ arrays: [(name: String, array: Entry)], _ storage: (String) -> Range<Int>?
  ) throws(ByteFault) {
    for (name, array) in arrays {
      guard let storage = storage(array.storage), types[name] == nil else {
        throw ByteFault(reason: "the numbers of \(name) are missing, or it is there twice")
      }
      let start = storage.lowerBound + array.offset * array.dtype.byteCount
      let type = TensorType(Shape(array.shape), array.dtype)
      guard array.offset >= 0, start + type.byteCount <= storage.upperBound else {
        throw ByteFault(reason: "\(name) goes beyond the numbers that are stored for it")
      }
      types[name] = type
      ranges[name] = start..<start + type.byteCount
      if !array.isInOrder { orders[name] = array.strides }
    }
  }

  /// The arrays of the dictionary that is read, and all arrays of the file.
  private static func arrays(
    in value: PickleValue
  ) throws(ByteFault) -> (
    chosen: [(name: String, array: Entry)], all: [(name: String, array: Entry)]
  ) {
    guard case .pairs(let pairs) = value else {
      throw ByteFault(reason: "it does not hold a dictionary of arrays")
    }
    var (own, inner, all) = (
      [(name: String, array: Entry)](), [String: PickleValue](),
      [
        (name: String, array: Entry)
      ]()
    )
    for (key, value) in pairs {
      switch value {
      case .call:
        guard case .text(let name) = key else {
          throw ByteFault(reason: "a key of its dictionary is not a text")
        }
        own.append((name, try Entry(value, name)))
      case .pairs:
        if case .text(let name) = key { inner[name] = value }
        all += try Self.everything(in: value)
      case .list, .tuple: all += try Self.everything(in: value)
      default: continue
      }
    }
    guard own.isEmpty else { return (own, own + all) }
    for name in dictionaries {
      guard let value = inner[name], try !everything(in: value).isEmpty else { continue }
      return (try arrays(in: value).chosen, all)
    }
    let keys = inner.keys.sorted().prefix(5).joined(separator: ", ")
    throw ByteFault(
      reason: "it holds no dictionary of arrays"
        + (keys.isEmpty ? "" : "; its dictionaries are \(keys)"))
  }

  /// All arrays within a value.
  private static func everything(
    in value: PickleValue
  ) throws(ByteFault) -> [(name: String, array: Entry)] {
    switch value {
    case .call: return [("", try Entry(value, "an array"))]
    case .list(let items), .tuple(let items):
      var found: [(name: String, array: Entry)] = []
      for item in items { found += try everything(in: item) }
      return found
    case .pairs(let pairs):
      var found: [(name: String, array: Entry)] = []
      for (_, item) in pairs { found += try everything(in: item) }
      return found
    default: return []
    }
  }

  /// All arrays in the order of their axes, one after the other in memory, and where each of them is.
  func reordered(
    _ bytes: UnsafeRawBufferPointer
  ) -> (file: MappedFile, ranges: [String: Range<Int>]) {
    var (places, size) = ([String: Range<Int>](), 0)
    for (name, type) in types.pairs {
      places[name] = size..<size + type.byteCount
      // Elements stay aligned.
      size += (type.byteCount + 7) / 8 * 8
    }
    let file = MappedFile(size: size) { memory in
      for (name, type) in types.pairs {
        let source = UnsafeRawBufferPointer(rebasing: bytes[ranges[name]!])
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[places[name]!])
        guard let strides = orders[name] else {
          target.copyMemory(from: source)
          continue
        }
        let shape = type.shape.sizes
        switch type.dtype.byteCount {
        case 1: Self.reorder(source, target, shape, strides, of: UInt8.self)
        case 2: Self.reorder(source, target, shape, strides, of: UInt16.self)
        case 4: Self.reorder(source, target, shape, strides, of: UInt32.self)
        default: Self.reorder(source, target, shape, strides, of: UInt64.self)
        }
      }
    }
    return (file, places)
  }

  private static func reorder<Bits: FixedWidthInteger>(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer, _ shape: [Int],
    _ strides: [Int], of: Bits.Type
  ) {
    let width = MemoryLayout<Bits>.size
    let (length, stride) = (shape.last ?? 1, strides.last ?? 1)
    var index = [Int](repeating: 0, count: shape.count)
    var place = 0
    while place < target.count {
      var from = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
      for _ in 0..<length {
        let bits = source.loadUnaligned(fromByteOffset: from * width, as: Bits.self)
        target.storeBytes(of: bits, toByteOffset: place, as: Bits.self)
        from += stride
        place += width
      }
      var axis = shape.count - 2
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < shape[axis] { break }
        index[axis] = 0
        axis -= 1
      }
    }
  }

  /// The bytes of storages, which follow the pickles in the order of their keys, each after its count.
  private static func storages(
    _ keys: [PickleValue], _ widths: [String: Int], _ bytes: UnsafeRawBufferPointer,
    from start: Int
  ) throws(ByteFault) -> [String: Range<Int>] {
    var found: [String: Range<Int>] = [:]
    var place = start
    for key in keys {
      guard case .text(let name) = key, let width = widths[name] else {
        throw ByteFault(reason: "it stores numbers that belong to no array")
      }
      guard place + 8 <= bytes.count else { throw ByteFault(reason: "it is truncated") }
      let count = Int64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int64.self))
      place += 8
      guard count >= 0, count <= (bytes.count - place) / width else {
        throw ByteFault(reason: "it is truncated: it was not downloaded to its end")
      }
      found[name] = place..<place + Int(count) * width
      place += Int(count) * width
    }
    guard place == bytes.count else {
      throw ByteFault(reason: "\(bytes.count - place) bytes at its end belong to nothing")
    }
    return found
  }

  /// One array as its pickle describes it.
  private struct Entry {
    let storage: String
    let dtype: DType
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    /// Whether its numbers are stored in the order of its axes.
    var isInOrder: Bool { Self.isDense(shape, strides, Array(shape.indices)) }

    private static let dtypes: [String: DType] = [
      "torch.FloatStorage": .float32, "torch.DoubleStorage": .float64,
      "torch.HalfStorage": .float16, "torch.BFloat16Storage": .bfloat16,
      "torch.LongStorage": .int64, "torch.IntStorage": .int32, "torch.ShortStorage": .int16,
      "torch.CharStorage": .int8, "torch.ByteStorage": .uint8, "torch.BoolStorage": .bool,
    ]

    init(_ value: PickleValue, _ name: String) throws(ByteFault) {
      var value = value
      if case .call("torch._utils._rebuild_parameter", let arguments) = value,
        let data = arguments.first
      {
        value = data
      }
      guard case .call("torch._utils._rebuild_tensor_v2", let arguments) = value,
        arguments.count >= 4, case .persistent(.tuple(let storage)) = arguments[0],
        storage.count >= 3, case .global(let kind) = storage[1], case .text(let key) = storage[2],
        case .int(let offset) = arguments[1], let shape = arguments[2].integers,
        let strides = arguments[3].integers
      else { throw ByteFault(reason: "\(name) is not an array") }
      guard let dtype = Self.dtypes[kind] else {
        throw ByteFault(reason: "\(name) has numbers of \(kind), which are not read")
      }
      guard shape.allSatisfy({ (0...1 << 31).contains($0) }), strides.count == shape.count,
        Self.isDense(shape, strides, shape.indices.sorted { strides[$0] > strides[$1] })
      else {
        throw ByteFault(reason: "the numbers of \(name) are not stored one after the other")
      }
      (self.storage, self.dtype, self.offset) = (key, dtype, offset)
      (self.shape, self.strides) = (shape, strides)
    }

    /// Whether numbers follow each other where axes come in an order, the slowest first; those of one
    /// number may be anywhere.
    private static func isDense(_ shape: [Int], _ strides: [Int], _ order: [Int]) -> Bool {
      var step = 1
      for axis in order.reversed() where shape[axis] != 1 {
        guard strides[axis] == step else { return shape.contains(0) }
        step = step.multipliedReportingOverflow(by: shape[axis]).partialValue
      }
      return true
    }
  }
}

extension PickleValue {
  /// The integers of a tuple; nil for another value.
  fileprivate var integers: [Int]? {
    guard case .tuple(let items) = self else { return nil }
    let integers = items.compactMap { if case .int(let value) = $0 { value } else { nil } }
    return integers.count == items.count ? integers : nil
  }
}
