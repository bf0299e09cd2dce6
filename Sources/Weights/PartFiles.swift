import Runtime
import Files
import Foundation
import Tensors

/// The processes that write one set of files together; a single one by default.
public struct Writers: Sendable {
  /// The number of this process; the first one writes what is common to all.
  public let rank: Int
  /// Waits until all processes have reached the point with a name.
  public let meet: @Sendable (String) throws -> Void

  /// Makes a group.
  public init(rank: Int = 0, meet: @escaping @Sendable (String) throws -> Void = { _ in }) {
    self.rank = rank
    self.meet = meet
  }
}

extension WeightFiles {
  /// Writes arrays that are sharded over many devices: a file for each device, and an index, which
  /// is written last. No file takes its place before all are on the disk.
  ///
  /// - Parameters:
  ///   - path: the file that the index stands for.
  ///   - stamp: distinguishes the files from earlier ones, such as the number of a step.
  ///   - mesh: the devices that the arrays are sharded over.
  ///   - writers: the processes that do this together, on one file system.
  ///   - inputs: files that must stay, see `paths`.
  /// - Throws: `FileError.unwritable`, `otherKind` where anything other than weights would be
  ///   replaced, `replacesInput` where one of `inputs` would, and the plugin's errors.
  public static func write(
    parts arrays: Named<ShardedArray>, metadata: [String: String] = [:], to path: String,
    stamp: String, mesh: Mesh, by writers: Writers = Writers(), protecting inputs: [String] = []
  ) throws {
    let starts = arrays.mapValues { firstPlaces(of: $0, mesh) }
    let used = Set(starts.values.flatMap(\.keys)).sorted()
    func file(_ place: Int, _ stem: String) -> String {
      String(
        format: "%@-%@-part-%05d-of-%05d.safetensors", stem, stamp, place + 1, mesh.count)
    }
    let save = try WeightSave(
      to: path, files: { stem in used.map { file($0, stem) } }, protecting: inputs)
    let names = Dictionary(uniqueKeysWithValues: zip(used, save.files))
    var staged: [StagedFile] = []
    for place in Set(arrays.values.flatMap { $0.shards.map(\.place) }).sorted() {
      let own = Named(
        arrays.pairs.compactMap { name, array in
          array.distinctShards.first { $0.place == place }.map { (name, $0.buffer) }
        })
      guard !own.isEmpty else { continue }
      staged.append(
        try SafeTensors.stage(
          own.mapValues { TensorType($0.type) }, metadata: save.metadata(id: WeightSave.newID()),
          at: save.path(names[place]!)
        ) { try own[$0]!.bytes() })
    }
    if writers.rank == 0 { try save.begin() }
    try writers.meet("parts of \(stamp)")
    for file in staged { try file.commit() }
    try writers.meet("files of \(stamp)")
    if writers.rank == 0 {
      var ids: [String: String] = [:]
      for name in save.files {
        ids[name] = try SafeTensors(path: save.path(name)).metadata[WeightSave.idKey]
      }
      var parts: [String: Any] = [:]
      for (name, array) in arrays.pairs {
        let files = Dictionary(
          uniqueKeysWithValues: starts[name]!.map { (names[$0.key]!, $0.value) })
        parts[name] = ["shape": array.type.shape.sizes, "files": files] as [String: Any]
      }
      try stageIndex(
        ["metadata": metadata, "parts": parts, WeightIndex.idsKey: ids], at: save.place
      ).commit()
      try save.finish()
    }
    try writers.meet("index of \(stamp)")
  }

  /// The places whose devices have the parts of an array that are written, and where those start.
  private static func firstPlaces(of array: ShardedArray, _ mesh: Mesh) -> [Int: [Int]] {
    var starts: [Int: [Int]] = [:]
    var seen: Set<Region> = []
    for place in 0..<mesh.count {
      let region = array.sharding.region(array.type.shape, of: place, mesh)
      if seen.insert(region).inserted { starts[place] = region.start }
    }
    return starts
  }
}
