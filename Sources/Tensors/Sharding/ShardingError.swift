/// What can go wrong when arrays are sharded over devices.
public enum ShardingError: Error, Equatable, CustomStringConvertible {
  /// A mesh needs more devices than there are.
  case tooFewDevices(mesh: Mesh, found: Int, platform: String)
  /// A mesh leaves devices of the run's processes unused.
  case idleDevices(mesh: Mesh, found: Int)
  /// An axis of a weight cannot be divided into equal shards.
  case indivisible(name: String, axis: Int, size: Int, meaning: LogicalAxis, mesh: Mesh)
  /// A batch cannot be divided into equal shards.
  case indivisibleBatch(batch: Int, mesh: Mesh)
  /// A shard of an array is on a device of another process.
  case elsewhere(TensorType)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .tooFewDevices(let mesh, let found, let platform):
      let one = found == 1 ? "is 1 device" : "are \(found) devices"
      let hint =
        platform == "cpu"
        ? " On a CPU --devices \(mesh.count) makes that many virtual devices, for trials."
        : ""
      return "The mesh \(mesh) needs \(mesh.count) devices and there \(one). "
        + "Make its axes smaller.\(hint)"
    case .idleDevices(let mesh, let found):
      return "The run's processes have \(found) devices together and its mesh takes \(mesh.count). "
        + "Use all of them, as in --set 'mesh={fsdp: \(found)}'."
    case .indivisible(let name, let axis, let size, let meaning, let mesh):
      let axes = meaning.meshAxes.filter { mesh[$0] > 1 }
      let shards = axes.reduce(1) { $0 * mesh[$1] }
      let names = axes.map(\.rawValue).joined(separator: " × ")
      let fitting = (1...max(1, min(size, 4096))).filter { size % $0 == 0 }
      return "The mesh's \(names) of \(shards) does not divide axis \(axis) (\(meaning.rawValue), "
        + "\(size)) of the weight \(name). These would: "
        + fitting.prefix(12).map(String.init).joined(separator: ", ") + "."
    case .indivisibleBatch(let batch, let mesh):
      let up = (batch + mesh.batchShards - 1) / mesh.batchShards * mesh.batchShards
      return "The mesh's data × fsdp of \(mesh.batchShards) does not divide the batch of \(batch). "
        + "Use a batch of \(up), or smaller axes."
    case .elsewhere(let type):
      return
        "A shard of an array \(type) is on a device of another process; only all processes together "
        + "can write it."
    }
  }
}
