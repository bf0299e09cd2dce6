/// The meaning of an axis of a weight or an activation, which determines how it is sharded.
public enum LogicalAxis: String, Hashable, Sendable {
  /// Samples.
  case batch
  /// The features of the residual stream, on weights.
  case embed
  /// The features of all heads of attention.
  case heads
  /// The hidden features of an MLP.
  case hidden

  /// The axes of the mesh that it is sharded over, the first one coarsest.
  public var meshAxes: [Mesh.Axis] {
    switch self {
    case .batch: [.data, .fsdp]
    case .embed: [.fsdp]
    case .heads, .hidden: [.tensor]
    }
  }
}
