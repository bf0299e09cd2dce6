import Files
import Foundation
import Tensors

extension WeightFiles {
  /// Writes arrays: to one file, or, where they take more bytes than a file should, to several with
  /// an index, which is written last. Either is whole or not there.
  ///
  /// Several files that take the places of others of the same names do so one after the other. Where
  /// that is cut short, the index that is there does not fit to them, and reading says so.
  ///
  /// - Parameters:
  ///   - path: the file; several are named after it, as `weights-00001-of-00003.safetensors`.
  ///   - largest: the bytes of data in a file, which only a single larger array exceeds.
  ///   - inputs: files that must stay, see `paths`.
  /// - Throws: `FileError.unwritable`, `otherKind` where something else than weights would be
  ///   replaced, `replacesInput` where one of `inputs` would, and what `bytes` throws.
  public static func write(
    _ types: Named<TensorType>, metadata: [String: String] = [:], to path: String,
    largest: Int = 5 << 30, protecting inputs: [String] = [], bytes: (String) throws -> [UInt8]
  ) throws {
    let parts = split(types, largest)
    let save = try WeightSave(
      to: path,
      files: { stem in
        guard parts.count > 1 else { return [] }
        return parts.indices.map {
          String(format: "%@-%05d-of-%05d.safetensors", stem, $0 + 1, parts.count)
        }
      }, protecting: inputs)
    guard parts.count > 1 else {
      try SafeTensors.write(types, metadata: metadata, to: save.place, bytes: bytes)
      try save.finish()
      return
    }
    var map: [String: String] = [:]
    var ids: [String: String] = [:]
    var staged: [StagedFile] = []
    for (file, part) in zip(save.files, parts) {
      let id = WeightSave.newID()
      staged.append(
        try SafeTensors.stage(
          part, metadata: save.metadata(id: id), at: save.path(file), bytes: bytes))
      ids[file] = id
      for name in part.names { map[name] = file }
    }
    var texts: [String: Any] = metadata
    texts["total_size"] = types.values.map(\.byteCount).reduce(0, +)
    let index = try stageIndex(
      ["metadata": texts, "weight_map": map, WeightIndex.idsKey: ids], at: save.place)
    try save.begin()
    for file in staged { try file.commit() }
    try index.commit()
    try save.finish()
  }

  static func stageIndex(_ content: [String: Any], at place: String) throws -> StagedFile {
    let index = try StagedFile(place + WeightIndex.suffix, as: .json)
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
