import Files
import Foundation
import Tensors

/// Named arrays in one safetensors, GGUF or PyTorch file, in several safetensors files that an index names, or in
/// the parts of a GGUF file.
///
/// The index is JSON beside the files under the name of the whole,
/// `weights.safetensors.index.json`. It says for each array in which file it is,
/// `{"metadata": {…}, "weight_map": {"array": "file", …}}`, or, where many devices have written it,
/// in which files its parts are and where each one starts,
/// `{"metadata": {…}, "parts": {"array": {"shape": [8, 4], "files": {"file": [0, 0], …}}, …}}`.
///
/// An index that this program has written also says, under `file_ids`, which random text each of its
/// files has in its own metadata, so that files of two times are never read together.
public struct WeightFiles: Sendable {
  /// The path of the file or the index.
  public let path: String
  /// The arrays' types; f32 for arrays that are stored in blocks, see `blocks`.
  public private(set) var types = Named<TensorType>()
  /// Texts about the file.
  public private(set) var metadata: [String: String] = [:]
  private var files: [String: ArrayFile] = [:]
  /// The files that hold an array, with the region in each of them.
  private var places: [String: [(file: String, region: Region)]] = [:]

  /// All files that are read: the file, or the index and the files that it names.
  public var paths: [String] {
    let own = files.values.map(\.path).sorted()
    return path.hasSuffix(WeightIndex.suffix) ? [path] + own : own
  }

  /// Opens a file, an index, the whole that an index describes, or a folder with one of them.
  ///
  /// - Throws: `FileError.unreadable`, `WeightsError.damaged` with what is wrong, or `missingFiles`.
  public init(path given: String) throws {
    path = try Self.find(given)
    if path.hasSuffix(WeightIndex.suffix) {
      try readIndex()
    } else {
      let first = try ArrayFile(path: path)
      metadata = first.metadata
      for file in try GGUFParts.files(first) {
        files[file.path] = file
        for (name, type) in file.types.pairs {
          guard types[name] == nil else { throw fail("two of its parts have an array \(name)") }
          types[name] = type
          places[name] = [(file.path, Region(whole: type.shape))]
        }
      }
    }
  }

  /// The bytes of an array in one file, element by element, valid for as long as the file's owner; nil
  /// where there is none, where it is in parts, or where it is stored in blocks.
  public func mapped(_ name: String) -> (bytes: UnsafeRawBufferPointer, owner: MappedFile)? {
    guard let parts = places[name], parts.count == 1, let file = files[parts[0].file],
      file.blocks(name) == nil, let bytes = file.bytes(name)
    else { return nil }
    return (bytes, file.owner)
  }

  /// The form and the bytes of an array that is stored in blocks, valid for as long as the file's owner;
  /// nil for other arrays.
  public func blocks(
    _ name: String
  ) -> (format: BlockFormat, bytes: UnsafeRawBufferPointer, owner: MappedFile)? {
    guard let place = places[name]?.first, let file = files[place.file],
      let format = file.blocks(name), let bytes = file.bytes(name)
    else { return nil }
    return (format, bytes, file.owner)
  }

  /// The bytes that an array takes on disk; 0 where there is no such array.
  public func storedBytes(_ name: String) -> Int {
    (places[name] ?? []).reduce(0) { $0 + (files[$1.file]?.bytes(name)?.count ?? 0) }
  }

  /// A copy of a region of an array, dense and row-major, from all files that hold parts of it.
  public func bytes(_ name: String, _ region: Region) -> [UInt8] {
    guard let parts = places[name], let type = types[name] else {
      preconditionFailure("the files have no array \(name)")
    }
    if blocks(name) != nil {
      let piece = NameMap.Piece(
        disk: name, shape: type.shape.sizes, box: Region(whole: type.shape))
      return StoredArray(self, piece).floats(region).withUnsafeBytes { Array($0) }
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
    (try? find(path)).map(FileManager.default.fileExists) ?? false
  }

  /// The endings of files of weights that are found in a folder, the preferred one first.
  public static let endings = [".safetensors", ".gguf", ".bin", ".pt", ".pth"]

  /// Whether the arrays are in a file as PyTorch writes it.
  public var isOfTorch: Bool {
    files.values.contains { if case .torch = $0 { true } else { false } }
  }

  private static func find(_ path: String) throws -> String {
    let manager = FileManager.default
    var isFolder: ObjCBool = false
    guard manager.fileExists(atPath: path, isDirectory: &isFolder) else {
      // The second is for a link to a file that has become several.
      let indices = [path, try placeOfFile(path)].map { $0 + WeightIndex.suffix }
      return indices.first(where: manager.fileExists) ?? path
    }
    guard isFolder.boolValue else { return path }
    let names = try namesInFolder(path)
    let indices = names.filter { $0.hasSuffix(".safetensors" + WeightIndex.suffix) }
    // Beside a file of its name an index is out of date, see `WeightSave.finish`.
    let wholes = indices.map { index in
      let file = String(index.dropLast(WeightIndex.suffix.count))
      return names.contains(file) ? file : index
    }
    let single = endings.map { ending in names.filter { $0.hasSuffix(ending) } }
    let candidates = indices.isEmpty ? single.first { !$0.isEmpty } ?? [] : wholes
    if candidates.count > 1, indices.isEmpty, let index = WeightIndex.missing(for: candidates) {
      throw WeightsError.missingFiles(path: path, files: [index])
    }
    guard candidates.count == 1 || GGUFParts.areParts(candidates) else {
      let found = candidates.isEmpty ? "no safetensors file" : candidates.joined(separator: ", ")
      throw FileError.unreadable(path: path, reason: "it is a folder with \(found); name one file")
    }
    return "\(path)/\(candidates[0])"
  }

  private func fail(_ reason: String) -> WeightsError { .damaged(path: path, reason: reason) }

  private mutating func readIndex() throws {
    let index: WeightIndex
    do {
      index = try withExtendedLifetime(try MappedFile(path)) { try WeightIndex($0.bytes) }
    } catch let fault as JSONFault {
      throw fail(fault.reason)
    }
    metadata = index.metadata
    try open(index)
    for (name, place) in index.arrays.sorted(by: { $0.key < $1.key }) {
      switch place {
      case .file(let file):
        guard let type = files[file]?.types[name] else {
          throw fail("its index says that \(name) is in \(file), which has it not")
        }
        types[name] = type
        places[name] = [(file, Region(whole: type.shape))]
      case .parts(let shape, let starts): try readParts(name, shape, starts)
      }
    }
  }

  /// Opens the files and checks that they are those that the index was written with.
  private mutating func open(_ index: WeightIndex) throws {
    let folder = (path as NSString).deletingLastPathComponent
    let whole = String(path.dropLast(WeightIndex.suffix.count))
    // Something else of that name says nothing of these files.
    let unfinished = try? UnfinishedSave(of: whole)
    if let name = index.files.sorted().first(where: { !WeightIndex.isPlain($0) }) {
      throw fail("its index names the file \"\(name)\", which is not one beside it")
    }
    let missing = index.files.sorted().filter {
      !FileManager.default.fileExists(atPath: folder.isEmpty ? $0 : "\(folder)/\($0)")
    }
    guard missing.isEmpty else { throw WeightsError.missingFiles(path: path, files: missing) }
    for name in index.files.sorted() {
      let file = try SafeTensors(path: folder.isEmpty ? name : "\(folder)/\(name)")
      let id = file.metadata[WeightSave.idKey]
      // An index of another program has no such texts; then a list of what a save was making tells.
      let isOther =
        index.ids[name].map { $0 != id } ?? (id != nil && unfinished?.writes.contains(name) == true)
      guard !isOther else {
        throw fail(
          "\(name) is not the file that its index was written with: a save was cut short, or is "
            + "still going on")
      }
      files[name] = .safeTensors(file)
    }
  }

  private mutating func readParts(_ name: String, _ sizes: [Int], _ starts: [String: [Int]]) throws
  {
    var found = 0
    for (file, start) in starts.sorted(by: { $0.key < $1.key }) {
      guard let type = files[file]?.types[name] else {
        throw fail("its index says that a part of \(name) is in \(file), which has it not")
      }
      guard JSONValues.byteCount(sizes, width: type.dtype.byteCount) != nil else {
        throw fail("the sizes \(sizes) of \(name) are beyond all bounds")
      }
      let part = type.shape.sizes
      guard start.count == sizes.count, part.count == sizes.count,
        sizes.indices.allSatisfy({ (0...sizes[$0]).contains(start[$0]) }),
        sizes.indices.allSatisfy({ part[$0] <= sizes[$0] - start[$0] })
      else {
        throw fail("the part of \(name) in \(file), \(part) from \(start), is not within \(sizes)")
      }
      guard types[name].map({ $0.dtype == type.dtype }) ?? true else {
        throw fail("the part of \(name) in \(file) has another element type than the others")
      }
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
