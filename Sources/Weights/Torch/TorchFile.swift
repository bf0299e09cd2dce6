import Files
import Tensors

/// A file of arrays as PyTorch wrote it before version 1.6: pickles about the arrays, then their numbers.
///
/// The pickles are read as data; no code in them is run. `torch.save` of later versions writes archives,
/// which are not read.
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
  }

  /// Opens a file and checks all of it.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with the reason.
  init(path: String) throws {
    let file = try MappedFile(path)
    do {
      let contents = try Contents(file.bytes)
      (types, ranges) = (contents.types, contents.ranges)
    } catch {
      throw WeightsError.damaged(path: path, reason: error.reason)
    }
    (self.path, self.file) = (path, file)
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

  init(_ bytes: UnsafeRawBufferPointer) throws(ByteFault) {
    var reader = PickleReader(bytes)
    // The magic number, the version, and the sizes of the writer's integers.
    for _ in 0..<3 { _ = try reader.next() }
    guard case .pairs(let pairs) = try reader.next() else {
      throw ByteFault(reason: "it does not hold a dictionary of arrays")
    }
    guard case .list(let keys) = try reader.next() else {
      throw ByteFault(reason: "it does not list its storages")
    }
    var arrays: [(name: String, array: Entry)] = []
    var widths: [String: Int] = [:]
    for (key, value) in pairs {
      guard case .text(let name) = key else {
        throw ByteFault(reason: "a key of its dictionary is not a text")
      }
      let array = try Entry(value, name)
      arrays.append((name, array))
      widths[array.storage] = array.dtype.byteCount
    }
    let storages = try Self.storages(keys, widths, bytes, from: reader.place)
    for (name, array) in arrays {
      guard let storage = storages[array.storage], types[name] == nil else {
        throw ByteFault(reason: "the numbers of \(name) are missing, or it is there twice")
      }
      let start = storage.lowerBound + array.offset * array.dtype.byteCount
      let type = TensorType(Shape(array.shape), array.dtype)
      guard array.offset >= 0, start + type.byteCount <= storage.upperBound else {
        throw ByteFault(reason: "\(name) goes beyond the numbers that are stored for it")
      }
      types[name] = type
      ranges[name] = start..<start + type.byteCount
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
      let isDense = zip(shape.indices, strides).allSatisfy { axis, stride in
        shape[axis] <= 1 || stride == shape[(axis + 1)...].reduce(1, *)
      }
      guard shape.allSatisfy({ (0...1 << 31).contains($0) }), strides.count == shape.count, isDense
      else {
        throw ByteFault(reason: "the numbers of \(name) are not in the order of its axes")
      }
      (self.storage, self.dtype, self.offset, self.shape) = (key, dtype, offset, shape)
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
