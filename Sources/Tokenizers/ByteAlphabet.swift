/// The printable characters that stand for bytes in byte-level vocabularies (Radford et al., 2019,
/// "Language Models are Unsupervised Multitask Learners").
package enum ByteAlphabet {
  /// The character of each byte: printable ones of Latin-1 stand for themselves, the others follow
  /// from 256 on.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 256
    return (UInt32(0)...255).map { byte in
      if 0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte {
        return Unicode.Scalar(byte)!
      }
      defer { next += 1 }
      return Unicode.Scalar(next)!
    }
  }()

  private static let bytes = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($0.element, UInt8($0.offset)) })

  /// The byte of a character; nil for characters that stand for none.
  static func byte(_ scalar: Unicode.Scalar) -> UInt8? { bytes[scalar] }

  /// The characters of bytes.
  package static func text(_ bytes: [UInt8]) -> String {
    String(String.UnicodeScalarView(bytes.map { scalars[Int($0)] }))
  }

  /// The characters of a text's UTF-8.
  static func encode(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    text.flatMap { UTF8.encode($0)!.map { scalars[Int($0)] } }
  }
}
