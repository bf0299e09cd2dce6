import Layers
import Tensors

/// Limits of the sizes of networks: large enough for all existing networks, and small enough that
/// the products of sizes do not overflow.
enum SizeLimit {
  /// The height and width of images and patches.
  static let pixels = 1...1 << 16
  /// The height and width of the patches of published networks, whose weights grow with the square.
  static let patch = 1...256
  /// Features, channels, frequencies.
  static let features = 1...1 << 20
  /// The rows and columns of a table of positions.
  static let table = 1...4096
  /// Layers of a stack that is executed as a loop.
  static let layers = 1...10_000
  /// Unrolled layers, which increase the compiler's time and memory.
  static let unrolledLayers = 1...256
  /// Classes.
  static let classes = 1...1 << 24
  /// The weights of a network, or the elements of a sample.
  static let elements = 1e15
}

extension ModelConfig {
  /// The number of the network's weights.
  public var weightCount: Double {
    weights.values.reduce(0) { $0 + $1.shape.realCount }
  }

  /// Whether the network's sizes are within the limits.
  var isCountable: Bool {
    weightCount <= SizeLimit.elements && sampleShape().realCount <= SizeLimit.elements
  }

  /// Whether the sizes of all activations for a batch can be counted: none has more elements than
  /// the batch times the elements of a sample, or times the features of the widest layer.
  public func canHold(batch: Int) -> Bool {
    let widest = weights.values.flatMap(\.shape.sizes).max() ?? 1
    let elements = sampleShape().realCount
    return Double(batch) * elements * max(4 * Double(widest), elements) < 0x1p62
  }
}

extension Shape {
  /// The number of elements, without overflow.
  var realCount: Double { sizes.reduce(1) { $0 * Double($1) } }
}
