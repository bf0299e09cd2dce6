import Files
import Foundation
import Tensors

/// Named arrays in one safetensors file, or in several that an index names.
///
/// The index is JSON, `{"metadata": {…}, "weight_map": {"array": "file", …}}`, and lies beside the
/// files under the name of the whole: `weights.safetensors.index.json`.
public struct WeightFiles: Sendable {
  /// Where the file or the index lies.
  public let path: String
  /// The arrays' types.
  public private(set) var types = Named<TensorType>()
  /// Texts about the file.
  public private(set) var metadata: [String: String] = [:]
  private var files: [String: SafeTensors] = [:]
  private var places: [String: String] = [:]

  static let indexSuffix = ".index.json"

  /// Opens a file, an index, the whole that an index describes, or a folder with one of them.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with what is wrong.
  public init(path given: String) throws {
    path = try Self.find(given)
    if path.hasSuffix(Self.indexSuffix) {
      try readIndex()
    } else {
      let file = try SafeTensors(path: path)
      types = file.types
      metadata = file.metadata
      files = [path: file]
      places = Dictionary(uniqueKeysWithValues: types.names.map { ($0, path) })
    }
  }

  /// The bytes of an array, valid for as long as its `owner` lives; nil where there is none.
  public func bytes(_ name: String) -> UnsafeRawBufferPointer? {
    places[name].flatMap { files[$0]?.bytes(name) }
  }

  /// What keeps an array's bytes in memory.
  public func owner(of name: String) -> MappedFile? { places[name].flatMap { files[$0]?.owner } }

  /// Whether a file, or an index for it, is there.
  public static func exist(at path: String) -> Bool {
    [path, path + indexSuffix].contains(where: FileManager.default.fileExists)
  }

  private static func find(_ path: String) throws -> String {
    let manager = FileManager.default
    var isFolder: ObjCBool = false
    guard manager.fileExists(atPath: path, isDirectory: &isFolder) else {
      return manager.fileExists(atPath: path + indexSuffix) ? path + indexSuffix : path
    }
    guard isFolder.boolValue else { return path }
    let names = ((try? manager.contentsOfDirectory(atPath: path)) ?? []).sorted()
    let indices = names.filter { $0.hasSuffix(".safetensors" + indexSuffix) }
    let candidates = indices.isEmpty ? names.filter { $0.hasSuffix(".safetensors") } : indices
    guard candidates.count == 1 else {
      let found = candidates.isEmpty ? "no safetensors file" : candidates.joined(separator: ", ")
      throw FileError.unreadable(path: path, reason: "it is a folder with \(found); name one file")
    }
    return "\(path)/\(candidates[0])"
  }

  private mutating func readIndex() throws {
    let path = path
    func fail(_ reason: String) -> WeightsError { .damaged(path: path, reason: reason) }
    let json = withExtendedLifetime(try MappedFile(path)) { Data($0.bytes) }
    guard let object = try? JSONSerialization.jsonObject(with: json) as? [String: Any],
      let map = object["weight_map"] as? [String: String]
    else { throw fail("its index does not map names to files under weight_map") }
    metadata = (object["metadata"] as? [String: Any] ?? [:]).compactMapValues { $0 as? String }
    let folder = (path as NSString).deletingLastPathComponent
    for name in Set(map.values).sorted() {
      guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/") else {
        throw fail("its index names the file \"\(name)\", which is not one beside it")
      }
      files[name] = try SafeTensors(path: folder.isEmpty ? name : "\(folder)/\(name)")
    }
    places = map
    for name in map.keys.sorted() {
      guard let type = files[map[name]!]?.types[name] else {
        throw fail("its index says that \(name) is in \(map[name]!), which has it not")
      }
      types[name] = type
    }
  }
}

extension WeightFiles {
  /// Writes arrays: to one file, or, where they take more bytes than a file should, to several with
  /// an index, which is written last. Either is whole or not there.
  ///
  /// - Parameters:
  ///   - path: the file; several are named after it, as `weights-00001-of-00003.safetensors`.
  ///   - largest: the bytes of data in a file, which only a single larger array exceeds.
  /// - Throws: `FileError.unwritable`, and what `bytes` throws.
  public static func write(
    _ types: Named<TensorType>, metadata: [String: String] = [:], to path: String,
    largest: Int = 5 << 30, bytes: (String) throws -> [UInt8]
  ) throws {
    let parts = split(types, largest)
    guard parts.count > 1 else {
      try SafeTensors.write(types, metadata: metadata, to: path, bytes: bytes)
      unlink(path + indexSuffix)
      return
    }
    let stem = path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
    var map: [String: String] = [:]
    var staged: [StagedFile] = []
    for (number, part) in parts.enumerated() {
      let file = String(format: "%@-%05d-of-%05d.safetensors", stem, number + 1, parts.count)
      staged.append(try SafeTensors.stage(part, metadata: [:], at: file, bytes: bytes))
      for name in part.names { map[name] = (file as NSString).lastPathComponent }
    }
    let total = types.values.map(\.byteCount).reduce(0, +)
    var texts: [String: Any] = metadata
    texts["total_size"] = total
    let index = try StagedFile(path + indexSuffix)
    let json = try JSONSerialization.data(
      withJSONObject: ["metadata": texts, "weight_map": map],
      options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    try json.withUnsafeBytes { try index.write($0) }
    try index.finish()
    for file in staged { try file.commit() }
    try index.commit()
    unlink(path)
  }

  private static func split(_ types: Named<TensorType>, _ largest: Int) -> [Named<TensorType>] {
    var parts = [Named<TensorType>()]
    var size = 0
    for (name, type) in types.pairs {
      if size > 0, size + type.byteCount > largest {
        parts.append(Named())
        size = 0
      }
      parts[parts.count - 1][name] = type
      size += type.byteCount
    }
    return parts
  }
}
