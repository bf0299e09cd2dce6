import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// Encodes pictures, several of one size at a time.
///
/// A batch has always the same number of pictures, the last one some of them twice: so all are computed by
/// one program, and the latents of a picture do not depend on what is encoded with it.
struct PictureEncoding {
  private let pipeline: ImagePipeline
  private let store: EncodedStore
  private var waiting: [ImageSize: [(key: EncodingKey, image: RGBImage)]] = [:]

  init(_ pipeline: ImagePipeline, _ store: EncodedStore) {
    (self.pipeline, self.store) = (pipeline, store)
  }

  /// The pictures of a batch: about a megapixel.
  static func batch(_ size: ImageSize) -> Int {
    max(1, min(16, (1 << 20) / (size.height * size.width)))
  }

  /// Encodes a picture, or keeps it until a batch is full.
  ///
  /// - Throws: the errors of weights, of the plugin and of writing.
  mutating func add(_ image: RGBImage, as key: EncodingKey) throws {
    guard store.announce(key) else { return }
    guard pipeline.codec.autoencoder != nil else {
      // Pixels are kept as they are, in 8 bits.
      try store.add(
        key, image.values, row: TensorType([image.height, image.width, 3], .uint8))
      return
    }
    let size = ImageSize(height: image.height, width: image.width)
    waiting[size, default: []].append((key, image))
    if waiting[size]!.count == Self.batch(size) { try encode(size) }
  }

  /// Encodes the pictures that wait.
  mutating func finish() throws {
    for size in waiting.keys.sorted(by: { ($0.height, $0.width) < ($1.height, $1.width) }) {
      try encode(size)
    }
  }

  private mutating func encode(_ size: ImageSize) throws {
    let entries = waiting.removeValue(forKey: size) ?? []
    guard let first = entries.first else { return }
    let images = entries.map(\.image)
    let missing = Self.batch(size) - images.count
    let latents = try pipeline.latents(
      images + [RGBImage](repeating: first.image, count: missing))
    let row = TensorType(Shape(Array(latents.type.shape.sizes.dropFirst())), latents.type.dtype)
    let bytes = try latents.bytes()
    for (number, entry) in entries.enumerated() {
      let start = number * row.byteCount
      try store.add(entry.key, bytes[start..<start + row.byteCount], row: row)
    }
  }
}
