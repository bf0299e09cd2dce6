/// How an array is split over a mesh: for each of its axes what that stands for, nil for one that
/// stays whole; axes that are not listed stay whole.
public struct Sharding: Hashable, Sendable {
  /// What the axes stand for.
  public let axes: [LogicalAxis?]

  /// Makes a sharding.
  public init(_ axes: [LogicalAxis?] = []) {
    let used = axes.compactMap { $0?.meshAxes }.joined()
    precondition(Set(used).count == used.count, "\(axes) would be split over one axis twice")
    self.axes = axes
  }

  /// An array that is whole on every device.
  public static let whole = Sharding()

  /// The axes of the mesh that an axis of the array is split over.
  private func meshAxes(_ axis: Int) -> [Mesh.Axis] {
    axis < axes.count ? axes[axis]?.meshAxes ?? [] : []
  }

  /// Into how many parts an axis of the array is split.
  func parts(_ axis: Int, _ mesh: Mesh) -> Int {
    meshAxes(axis).reduce(1) { $0 * mesh[$1] }
  }

  /// The first axis that cannot be split into equal parts, nil where all can.
  public func misfit(_ shape: Shape, _ mesh: Mesh) -> (axis: Int, parts: Int)? {
    for axis in 0..<shape.rank where shape[axis] % parts(axis, mesh) != 0 {
      return (axis, parts(axis, mesh))
    }
    return nil
  }

  /// The shape on each device; every axis must be divisible.
  public func local(_ shape: Shape, _ mesh: Mesh) -> Shape {
    Shape(shape.sizes.enumerated().map { $1 / parts($0, mesh) })
  }

  /// The part of an array that a device has.
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
  /// - Parameter attribute: whether it stands for itself, and not in a list of shardings.
  func text(rank: Int, attribute: Bool = true) -> String {
    let parts = (0..<rank).map { axis in
      "{" + meshAxes(axis).map { "\"\($0.rawValue)\"" }.joined(separator: ", ") + "}"
    }
    return "\(attribute ? "#sdy.sharding" : "")<@mesh, [\(parts.joined(separator: ", "))]>"
  }
}
