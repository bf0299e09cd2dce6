import Files
import Tensors
import Weights

/// A file of encoded pictures of one size, or of encoded texts.
///
/// It is a safetensors file of three arrays: `keys`, u8 `[entries, 16]`; `values`, `[rows, …]`, a row for
/// each picture or for each token of a text; and `ends`, s64 `[entries]`, where the rows of an entry end.
/// Its name has the hash of them.
struct EncodedShard: Sendable {
  /// The name of the file.
  let name: String
  /// The bytes of the file's arrays.
  let byteCount: Int
  /// The type of a row.
  let row: TensorType
  private let file: SafeTensors

  /// The number of entries.
  let count: Int

  private var keys: UnsafeRawBufferPointer { file.bytes("keys")! }
  private var ends: UnsafeRawBufferPointer { file.bytes("ends")! }
  private var values: UnsafeRawBufferPointer { file.bytes("values")! }

  private static let (prefix, suffix) = ("shard-", ".safetensors")

  /// Whether a file name is one of a shard.
  static func isName(_ name: String) -> Bool { name.hasPrefix(prefix) && name.hasSuffix(suffix) }

  /// Opens a file.
  ///
  /// - Throws: `FileError.unreadable`, and `WeightsError.damaged` where it is no shard.
  init(_ name: String, in folder: String) throws {
    let file = try SafeTensors(path: "\(folder)/\(name)")
    guard let keys = file.types["keys"], let ends = file.types["ends"],
      let values = file.types["values"], keys.dtype == .uint8, ends.dtype == .int64,
      keys.shape.rank == 2, keys.shape[1] == EncodingKey.size,
      ends.shape == Shape([keys.shape[0]]), values.shape.rank > 0
    else { throw WeightsError.damaged(path: file.path, reason: "it has no such arrays") }
    self.name = name
    self.file = file
    row = TensorType(Shape(Array(values.shape.sizes.dropFirst())), values.dtype)
    byteCount = keys.byteCount + ends.byteCount + values.byteCount
    count = keys.shape[0]
    var last = 0
    for entry in 0..<count {
      let end = end(entry)
      guard end >= last, end <= values.shape[0] else {
        throw WeightsError.damaged(
          path: file.path, reason: "the rows of its entry \(entry) are not in it")
      }
      last = end
    }
  }

  /// Checks that the content is that by which the file is named.
  ///
  /// - Throws: `WeightsError.damaged`.
  func checkContent() throws {
    let found = Self.name(row, keys: keys, ends: ends, values: values)
    file.owner.release(values)
    guard found == name else {
      throw WeightsError.damaged(
        path: file.path, reason: "its content is not as it was written")
    }
  }

  /// The key of an entry.
  func key(_ entry: Int) -> EncodingKey {
    let start = entry * EncodingKey.size
    return EncodingKey(UnsafeRawBufferPointer(rebasing: keys[start..<start + EncodingKey.size]))
  }

  /// The number of rows of an entry.
  func rows(_ entry: Int) -> Int { end(entry) - (entry == 0 ? 0 : end(entry - 1)) }

  /// The bytes of an entry, valid for as long as the shard lives.
  func bytes(_ entry: Int) -> UnsafeRawBufferPointer {
    let (start, end) = (entry == 0 ? 0 : end(entry - 1), end(entry))
    return UnsafeRawBufferPointer(rebasing: values[start * row.byteCount..<end * row.byteCount])
  }

  private func end(_ entry: Int) -> Int {
    Int(Int64(littleEndian: ends.loadUnaligned(fromByteOffset: entry * 8, as: Int64.self)))
  }

  /// Entries that are yet to be written.
  struct Content {
    /// The type of a row.
    let row: TensorType
    /// The keys.
    private(set) var keys: [EncodingKey] = []
    private var ends: [Int64] = []
    private var values: [UInt8] = []

    /// No entries.
    init(row: TensorType) { self.row = row }

    /// The bytes of the entries.
    var byteCount: Int { values.count }

    /// Adds an entry of whole rows.
    mutating func add(_ key: EncodingKey, _ bytes: some Collection<UInt8>) {
      precondition(bytes.count % row.byteCount == 0, "an entry is of rows of \(row)")
      values += bytes
      keys.append(key)
      ends.append(Int64(values.count / row.byteCount))
    }

    /// Writes the entries to a file, atomically.
    ///
    /// - Returns: the name of the file.
    /// - Throws: `FileError.unwritable`.
    func write(to folder: String) throws -> String {
      let keys = keys.flatMap(\.bytes)
      let ends = ends.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
      let name = keys.withUnsafeBytes { keys in
        ends.withUnsafeBytes { ends in
          values.withUnsafeBytes { EncodedShard.name(row, keys: keys, ends: ends, values: $0) }
        }
      }
      let types = Named([
        ("ends", TensorType([self.ends.count], .int64)),
        (
          "values",
          TensorType(Shape([values.count / row.byteCount] + row.shape.sizes), row.dtype)
        ),
        ("keys", TensorType([self.keys.count, EncodingKey.size], .uint8)),
      ])
      try SafeTensors.write(types, to: "\(folder)/\(name)") { array in
        switch array {
        case "ends": ends
        case "keys": keys
        default: values
        }
      }
      return name
    }
  }

  /// The name of a file by its content.
  private static func name(
    _ row: TensorType, keys: UnsafeRawBufferPointer, ends: UnsafeRawBufferPointer,
    values: UnsafeRawBufferPointer
  ) -> String {
    let hash = ContentHash()
    hash.add("\(row.dtype.rawValue) \(row.shape.sizes) \(keys.count)")
    for bytes in [keys, ends, values] { hash.add(bytes) }
    return prefix + hash.text + suffix
  }
}
