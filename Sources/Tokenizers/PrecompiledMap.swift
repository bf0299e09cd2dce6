import Foundation

/// The map of characters that SentencePiece models carry: a double-array trie of UTF-8 sequences
/// (Yata, darts-clone) and the texts that replace them.
struct PrecompiledMap: Sendable {
  private let units: [UInt32]
  private let replacements: [UInt8]

  /// Reads the map from Base64.
  init(_ field: JSONField) throws {
    guard let data = Data(base64Encoded: try field.string()) else {
      throw field.wrong("is not Base64")
    }
    let bytes = [UInt8](data)
    func word(at offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
    guard bytes.count >= 4, case let size = Int(word(at: 0)), size % 4 == 0, size >= 4,
      4 + size <= bytes.count
    else { throw field.wrong("is truncated or not a map of characters") }
    units = stride(from: 4, to: 4 + size, by: 4).map(word)
    replacements = Array(bytes[(4 + size)...])
    guard String(validating: replacements, as: UTF8.self) != nil else {
      throw field.wrong("holds replacements that are not UTF-8")
    }
  }

  /// What replaces a text: the replacement of the shortest sequence that it begins with, nil where
  /// there is none. It stands for the whole text, as in Hugging Face's library.
  private func replacement(of text: some Sequence<Unicode.Scalar>) -> ArraySlice<UInt8>? {
    var node = offset(units[0])
    for byte in text.lazy.flatMap({ UTF8.encode($0)! }) {
      guard byte != 0 else { return nil }
      node ^= Int(byte)
      // The label of a unit is the byte that leads to it.
      guard units.indices.contains(node), units[node] & 0x8000_00FF == UInt32(byte) else {
        return nil
      }
      let unit = units[node]
      node ^= offset(unit)
      if unit >> 8 & 1 == 1 {
        guard units.indices.contains(node), case let start = Int(units[node] & 0x7FFF_FFFF),
          start < replacements.count
        else { return nil }
        let end = replacements[start...].firstIndex(of: 0) ?? replacements.count
        return replacements[start..<end]
      }
    }
    return nil
  }

  private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }

  /// A text with its grapheme clusters replaced, where they are shorter than six bytes, or else its
  /// characters.
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    func append(_ replacement: ArraySlice<UInt8>) {
      result += String(decoding: replacement, as: UTF8.self).unicodeScalars
    }
    for cluster in String(String.UnicodeScalarView(text)) {
      if cluster.utf8.count < 6, let replacement = replacement(of: cluster.unicodeScalars) {
        append(replacement)
        continue
      }
      for scalar in cluster.unicodeScalars {
        if let replacement = replacement(of: CollectionOfOne(scalar)) {
          append(replacement)
        } else {
          result.append(scalar)
        }
      }
    }
    return result
  }
}
