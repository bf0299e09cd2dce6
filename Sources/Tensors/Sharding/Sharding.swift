/// How an array is sharded over a mesh: the meaning of each of its axes, nil for replicated ones;
/// axes that are not listed are replicated.
public struct Sharding: Hashable, Sendable {
  /// The meaning of each axis.
  public let axes: [LogicalAxis?]

  /// Makes a sharding.
  public init(_ axes: [LogicalAxis?] = []) {
    let used = axes.compactMap { $0?.meshAxes }.joined()
    precondition(Set(used).count == used.count, "\(axes) would be sharded over one axis twice")
    self.axes = axes
  }

  /// The sharding of an array that every device has in full.
  public static let replicated = Sharding()

  /// The axes of the mesh that an axis of the array is sharded over.
  private func meshAxes(_ axis: Int) -> [Mesh.Axis] {
    axis < axes.count ? axes[axis]?.meshAxes ?? [] : []
  }

  /// The number of shards along an axis of the array.
  func shardCount(_ axis: Int, _ mesh: Mesh) -> Int {
    meshAxes(axis).reduce(1) { $0 * mesh[$1] }
  }

  /// The first axis that cannot be divided into equal shards, with their number; nil where all can.
  public func misfit(_ shape: Shape, _ mesh: Mesh) -> (axis: Int, shards: Int)? {
    for axis in 0..<shape.rank where shape[axis] % shardCount(axis, mesh) != 0 {
      return (axis, shardCount(axis, mesh))
    }
    return nil
  }

  /// The shape on each device; every axis must be divisible.
  public func local(_ shape: Shape, _ mesh: Mesh) -> Shape {
    Shape(shape.sizes.enumerated().map { $1 / shardCount($0, mesh) })
  }

  /// The shard of an array that a device has.
  public func region(_ shape: Shape, of device: Int, _ mesh: Mesh) -> Region {
    let local = local(shape, mesh)
    let start = shape.sizes.indices.map { axis in
      let place = meshAxes(axis).reduce(0) {
        $0 * mesh[$1] + mesh.place(of: device, on: $1)
      }
      return place * local[axis]
    }
    return Region(start: start, sizes: local.sizes)
  }

  /// The sharding of an array of a rank in the text of programs.
  ///
  /// - Parameter attribute: whether it is an attribute by itself, not an element of a list.
  func text(rank: Int, attribute: Bool = true) -> String {
    let axes = (0..<rank).map { axis in
      "{" + meshAxes(axis).map { "\"\($0.rawValue)\"" }.joined(separator: ", ") + "}"
    }
    return "\(attribute ? "#sdy.sharding" : "")<@mesh, [\(axes.joined(separator: ", "))]>"
  }
}
