/// What can be wrong with spreading arrays over devices.
public enum ShardingError: Error, Equatable, CustomStringConvertible {
  /// A mesh wants more devices than there are.
  case tooFewDevices(mesh: Mesh, found: Int, platform: String)
  /// A mesh leaves devices of a run's processes out.
  case idleDevices(mesh: Mesh, found: Int)
  /// An axis of a weight cannot be split into equal parts.
  case indivisible(name: String, axis: Int, size: Int, meaning: LogicalAxis, mesh: Mesh)
  /// A batch cannot be split into equal parts.
  case indivisibleBatch(batch: Int, mesh: Mesh)
  /// A part of an array lies with another process.
  case elsewhere(TensorType)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .tooFewDevices(let mesh, let found, let platform):
      let one = found == 1 ? "is 1 device" : "are \(found) devices"
      let hint =
        platform == "cpu"
        ? " On a CPU --devices \(mesh.count) makes as many virtual ones, for trying things out."
        : ""
      return "The mesh \(mesh) needs \(mesh.count) devices and there \(one). "
        + "Make its axes smaller.\(hint)"
    case .idleDevices(let mesh, let found):
      return "The run's processes have \(found) devices together and its mesh takes \(mesh.count). "
        + "Let it take all of them, as in --set 'mesh={fsdp: \(found)}'."
    case .indivisible(let name, let axis, let size, let meaning, let mesh):
      let axes = meaning.meshAxes.filter { mesh[$0] > 1 }
      let parts = axes.reduce(1) { $0 * mesh[$1] }
      let names = axes.map(\.rawValue).joined(separator: " × ")
      let fitting = (1...max(1, min(size, 4096))).filter { size % $0 == 0 }
      return "The mesh's \(names) of \(parts) does not divide axis \(axis) (\(meaning.rawValue), "
        + "\(size)) of the weight \(name). These would: "
        + fitting.prefix(12).map(String.init).joined(separator: ", ") + "."
    case .indivisibleBatch(let batch, let mesh):
      let up = (batch + mesh.batchParts - 1) / mesh.batchParts * mesh.batchParts
      return "The mesh's data × fsdp of \(mesh.batchParts) does not divide the batch of \(batch). "
        + "Use a batch of \(up), or smaller axes."
    case .elsewhere(let type):
      return "A part of an array \(type) lies with another process; only all processes together "
        + "can write it."
    }
  }
}
