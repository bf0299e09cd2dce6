import Files
import Foundation
import Tensors

/// Named arrays in one safetensors file, or in several that an index names.
///
/// The index is JSON and lies beside the files under the name of the whole,
/// `weights.safetensors.index.json`. It says for each array in which file it is,
/// `{"metadata": {…}, "weight_map": {"array": "file", …}}`, or, where many devices have written it,
/// in which files its parts are and where each one starts,
/// `{"metadata": {…}, "parts": {"array": {"shape": [8, 4], "files": {"file": [0, 0], …}}, …}}`.
public struct WeightFiles: Sendable {
  /// Where the file or the index lies.
  public let path: String
  /// The arrays' types.
  public private(set) var types = Named<TensorType>()
  /// Texts about the file.
  public private(set) var metadata: [String: String] = [:]
  private var files: [String: SafeTensors] = [:]
  /// The files that an array lies in, with the region that each of them has.
  private var places: [String: [(file: String, region: Region)]] = [:]

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
      for (name, type) in types.pairs { places[name] = [(path, Region(whole: type.shape))] }
    }
  }

  /// The bytes of an array that lies in one file, valid for as long as the file's owner; nil where
  /// there is none, or where it is in parts.
  public func mapped(_ name: String) -> (bytes: UnsafeRawBufferPointer, owner: MappedFile)? {
    guard let parts = places[name], parts.count == 1, let file = files[parts[0].file],
      let bytes = file.bytes(name)
    else { return nil }
    return (bytes, file.owner)
  }

  /// A copy of a region of an array, dense and row-major, from whatever parts it lies in.
  public func bytes(_ name: String, _ region: Region) -> [UInt8] {
    guard let parts = places[name], let type = types[name] else {
      preconditionFailure("the files have no array \(name)")
    }
    let width = type.dtype.byteCount
    let count = region.sizes.reduce(width, *)
    return [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      let target = UnsafeMutableRawBufferPointer(memory)
      for part in parts {
        guard let file = files[part.file], let bytes = file.bytes(name) else { continue }
        withExtendedLifetime(file) {
          region.copy(from: part.region, bytes, to: target, width: width)
        }
      }
      initialized = count
    }
  }

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
      object["weight_map"] != nil || object["parts"] != nil
    else { throw fail("its index does not map names to files under weight_map or parts") }
    metadata = (object["metadata"] as? [String: Any] ?? [:]).compactMapValues { $0 as? String }
    if let parts = object["parts"] {
      guard let parts = parts as? [String: [String: Any]] else {
        throw fail("its index says nothing of use under parts")
      }
      try readParts(parts)
    } else {
      guard let map = object["weight_map"] as? [String: String] else {
        throw fail("its index does not map names to files under weight_map")
      }
      try open(Set(map.values))
      for name in map.keys.sorted() {
        guard let type = files[map[name]!]?.types[name] else {
          throw fail("its index says that \(name) is in \(map[name]!), which has it not")
        }
        types[name] = type
        places[name] = [(map[name]!, Region(whole: type.shape))]
      }
    }
  }

  private mutating func open(_ names: Set<String>) throws {
    let folder = (path as NSString).deletingLastPathComponent
    for name in names.sorted() {
      guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/") else {
        throw WeightsError.damaged(
          path: path, reason: "its index names the file \"\(name)\", which is not one beside it")
      }
      files[name] = try SafeTensors(path: folder.isEmpty ? name : "\(folder)/\(name)")
    }
  }

  private mutating func readParts(_ arrays: [String: [String: Any]]) throws {
    let path = path
    func fail(_ reason: String) -> WeightsError { .damaged(path: path, reason: reason) }
    let maps = arrays.mapValues { $0["files"] as? [String: [Int]] ?? [:] }
    try open(Set(maps.values.flatMap(\.keys)))
    for (name, facts) in arrays.sorted(by: { $0.key < $1.key }) {
      guard let sizes = facts["shape"] as? [Int], sizes.allSatisfy({ $0 >= 0 }) else {
        throw fail("its index does not say the shape of \(name)")
      }
      var found = 0
      for (file, start) in maps[name]!.sorted(by: { $0.key < $1.key }) {
        guard let type = files[file]?.types[name] else {
          throw fail("its index says that a part of \(name) is in \(file), which has it not")
        }
        let part = type.shape.sizes
        guard start.count == sizes.count, part.count == sizes.count,
          sizes.indices.allSatisfy({ (0...sizes[$0]).contains(start[$0]) }),
          sizes.indices.allSatisfy({ part[$0] <= sizes[$0] - start[$0] }),
          types[name].map({ $0.dtype == type.dtype }) ?? true
        else { throw fail("the part of \(name) in \(file) does not fit into \(sizes)") }
        let region = Region(start: start, sizes: part)
        guard (places[name] ?? []).allSatisfy({ $0.region.intersection(region) == nil }) else {
          throw fail("parts of \(name) overlap")
        }
        types[name] = TensorType(Shape(sizes), type.dtype)
        places[name, default: []].append((file, region))
        found += type.shape.count
      }
      guard let type = types[name], found == type.shape.count else {
        throw fail("parts of \(name) are missing")
      }
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
    let stem = path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
    guard parts.count > 1 else {
      try SafeTensors.write(types, metadata: metadata, to: path, bytes: bytes)
      unlink(path + indexSuffix)
      removeParts(of: stem, except: nil)
      return
    }
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
    let index = try stageIndex(["metadata": texts, "weight_map": map], at: path)
    for file in staged { try file.commit() }
    try index.commit()
    unlink(path)
    removeParts(of: stem, except: nil)
  }

  static func stageIndex(_ content: [String: Any], at path: String) throws -> StagedFile {
    let index = try StagedFile(path + indexSuffix, as: .json)
    let json = try JSONSerialization.data(
      withJSONObject: content, options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    try json.withUnsafeBytes { try index.write($0) }
    try index.finish()
    return index
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
