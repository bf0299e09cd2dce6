/// What an axis of a weight or of a value in the network stands for; the rules of sharding go by it.
public enum LogicalAxis: String, Hashable, Sendable {
  /// Samples.
  case batch
  /// The features of the state that runs through a network, on weights.
  case embed
  /// The features of all heads of attention.
  case heads
  /// The features inside a perceptron.
  case hidden

  /// The axes of the mesh that it is split over, the first one coarsest.
  public var meshAxes: [Mesh.Axis] {
    switch self {
    case .batch: [.data, .fsdp]
    case .embed: [.fsdp]
    case .heads, .hidden: [.tensor]
    }
  }
}
