import Files
import Foundation
import Tensors

/// The processes that write one set of files together; a single one by default.
public struct Writers: Sendable {
  /// The number of this process; the first one writes what there is only one of.
  public let rank: Int
  /// Waits until all processes have come to the point of a name.
  public let meet: @Sendable (String) throws -> Void

  /// Makes a group.
  public init(rank: Int = 0, meet: @escaping @Sendable (String) throws -> Void = { _ in }) {
    self.rank = rank
    self.meet = meet
  }
}

extension WeightFiles {
  /// Writes arrays that lie in parts on many devices: a file for each device, and an index, which is
  /// written last. Until then the files that were there stay what the index names.
  ///
  /// - Parameters:
  ///   - path: the file that the index stands for.
  ///   - stamp: tells the files from those of an earlier time, such as the number of a step.
  ///   - mesh: the devices that the arrays are spread over.
  ///   - writers: the processes that do this together, on one file system.
  /// - Throws: `FileError.unwritable`, and the plugin's errors.
  public static func write(
    parts arrays: Named<ShardedArray>, metadata: [String: String] = [:], to path: String,
    stamp: String, mesh: Mesh, by writers: Writers = Writers()
  ) throws {
    let stem = path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
    func file(_ place: Int) -> String {
      String(
        format: "%@-%@-part-%05d-of-%05d.safetensors", stem, stamp, place + 1, mesh.count)
    }
    let places = Set(arrays.values.flatMap { $0.parts.map(\.place) }).sorted()
    for place in places {
      let own = Named(
        arrays.pairs.compactMap { name, array in
          array.distinctParts.first { $0.place == place }.map { (name, $0.buffer) }
        })
      guard !own.isEmpty else { continue }
      try SafeTensors.write(own.mapValues { TensorType($0.type) }, to: file(place)) {
        try own[$0]!.bytes()
      }
    }
    try writers.meet("parts of \(stamp)")
    if writers.rank == 0 {
      var parts: [String: Any] = [:]
      for (name, array) in arrays.pairs {
        var starts: [String: [Int]] = [:]
        var seen: Set<Region> = []
        for place in 0..<mesh.count {
          let region = array.sharding.region(array.type.shape, of: place, mesh)
          guard seen.insert(region).inserted else { continue }
          starts[(file(place) as NSString).lastPathComponent] = region.start
        }
        parts[name] = ["shape": array.type.shape.sizes, "files": starts] as [String: Any]
      }
      try stageIndex(["metadata": metadata, "parts": parts], at: path).commit()
      unlink(path)
      removeParts(of: stem, except: stamp)
    }
    try writers.meet("index of \(stamp)")
  }

  /// Deletes parts that no index names any more.
  static func removeParts(of stem: String, except stamp: String?) {
    let folder = (stem as NSString).deletingLastPathComponent
    let name = (stem as NSString).lastPathComponent
    let kept = stamp.map { "\(name)-\($0)-part-" }
    let files =
      (try? FileManager.default.contentsOfDirectory(
        atPath: folder.isEmpty ? "." : folder)) ?? []
    for file in files where file.hasPrefix("\(name)-") && file.contains("-part-") {
      if let kept, file.hasPrefix(kept) { continue }
      unlink(folder.isEmpty ? file : "\(folder)/\(file)")
    }
  }
}
