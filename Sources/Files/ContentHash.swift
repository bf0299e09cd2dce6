import CXXHash
import Foundation

/// The XXH3 128-bit hash of content, to identify files and values; not cryptographic.
public final class ContentHash {
  private let state: OpaquePointer

  /// Makes the hash of empty content.
  public init() {
    guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
    self.state = state
    XXH3_128bits_reset(state)
  }

  deinit { XXH3_freeState(state) }

  /// Adds bytes.
  public func add(_ bytes: UnsafeRawBufferPointer) {
    XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
  }

  /// Adds a text with its length, so that the boundaries of texts matter.
  public func add(_ text: String) {
    withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { add($0) }
    var text = text
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  /// The hash, 16 bytes.
  public var bytes: [UInt8] {
    let hash = XXH3_128bits_digest(state)
    return [hash.high64, hash.low64].flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
  }

  /// The hash as 32 hexadecimal digits.
  public var text: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The hash of bytes.
  public static func of(_ bytes: [UInt8]) -> ContentHash {
    let hash = ContentHash()
    bytes.withUnsafeBytes { hash.add($0) }
    return hash
  }

  /// The hash of a text.
  public static func of(_ text: String) -> String {
    let hash = ContentHash()
    hash.add(text)
    return hash.text
  }

  /// The hash of a file's content.
  ///
  /// - Throws: `FileError.unreadable`.
  public static func ofFile(_ path: String) throws(FileError) -> String {
    let file = try MappedFile(path)
    return withExtendedLifetime(file) {
      let hash = ContentHash()
      hash.add(file.bytes)
      return hash.text
    }
  }
}
