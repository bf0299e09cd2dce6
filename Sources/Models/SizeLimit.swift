import Layers
import Tensors

/// The sizes that networks can have: wide enough for every network that was ever trained, and small
/// enough that their products can be counted.
enum SizeLimit {
  /// The height and width of images and patches.
  static let pixels = 1...1 << 16
  /// The height and width of the patches of published networks, whose weights grow with its square.
  static let patch = 1...256
  /// Features, channels, frequencies.
  static let features = 1...1 << 20
  /// Layers of a stack that is run in a loop.
  static let layers = 1...10_000
  /// Layers that are each part of the program: a compiler's time grows with them, and its memory.
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

  /// Whether the network's sizes can be counted at all.
  var isCountable: Bool {
    weightCount <= SizeLimit.elements && sampleShape().realCount <= SizeLimit.elements
  }

  /// Whether what the network computes for a batch can be counted: no value in between is larger
  /// than each element of the batch beside each other element of its sample, or beside the features of
  /// the widest layer.
  public func canHold(batch: Int) -> Bool {
    let widest = weights.values.flatMap(\.shape.sizes).max() ?? 1
    let elements = sampleShape().realCount
    return Double(batch) * elements * max(4 * Double(widest), elements) < 0x1p62
  }
}

extension Shape {
  /// The number of elements, however many they are.
  var realCount: Double { sizes.reduce(1) { $0 * Double($1) } }
}
