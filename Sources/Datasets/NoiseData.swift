import Recipe
import Tensors

/// Noise of any size in ten classes, for planning and timing, as recipes name it.
public struct NoiseData: ArrayDataSet {
  /// The name in recipes.
  public static let kinds = ["noise"]

  /// The height and width.
  public var size: Int
  /// The channels.
  public var channels: Int

  /// The values of absent keys.
  public static let defaults = Self(size: 1, channels: 1)

  /// The description in the reference.
  public static let summary = "Noise in ten classes, for plans and timings."

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("size", \.size, in: 1...1 << 16, "height and width").required,
    Field("channels", \.channels, in: 1...1 << 16, "channels").required,
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Samples with their classes.
  public var arrays: [InputSpec] {
    [.sample([size, size, channels]), .classIndex(of: Noise.classes)]
  }

  /// Batches of fresh noise.
  public func batches(size batch: Int, seed: UInt64) -> any BatchSource {
    NoiseBatches(shape: arrays[0].shape, size: batch, seed: seed)
  }
}

/// Batches of noise.
struct NoiseBatches: BatchSource {
  let shape: Shape
  let size: Int
  let seed: UInt64
  private var position = BatchNumber()

  init(shape: Shape, size: Int, seed: UInt64) {
    (self.shape, self.size, self.seed) = (shape, size, seed)
  }

  var content: String { "noise of \(shape.count)" }

  mutating func next(rows: Range<Int>) -> Named<HostArray> {
    let elements = shape.count
    let batch = Noise.batch(
      size, elements: elements, seed: seed, number: UInt64(position.next()))
    let values = Array(batch.samples[rows.lowerBound * elements..<rows.upperBound * elements])
    return Named([
      (InputSpec.sample, HostArray(values, shape: Shape([rows.count] + shape.sizes))),
      ("class", HostArray(Array(batch.classes[rows]), shape: [rows.count])),
    ])
  }

  func saved() -> String { position.saved }

  mutating func restore(_ saved: String) throws { try position.restore(saved) }
}
