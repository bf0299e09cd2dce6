import Files

/// The hash of a picture or of a text, by which what was made of it is found.
struct EncodingKey: Hashable, Sendable {
  private let high: UInt64
  private let low: UInt64

  /// The number of bytes.
  static let size = 16

  /// Reads the bytes of a key.
  init(_ bytes: UnsafeRawBufferPointer) {
    high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
  }

  private init(_ hash: ContentHash) {
    self = hash.bytes.withUnsafeBytes { EncodingKey($0) }
  }

  /// The key of a picture, from its identity in the data set.
  init(picture identity: String) {
    let hash = ContentHash()
    hash.add(identity)
    self.init(hash)
  }

  /// The key of a text that is encoded together with reference images.
  init(text: String, references: [EncodingKey] = []) {
    let hash = ContentHash()
    hash.add(text)
    for key in references { key.bytes.withUnsafeBytes { hash.add($0) } }
    self.init(hash)
  }

  /// The bytes of the key.
  var bytes: [UInt8] {
    [high, low].flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
  }
}
