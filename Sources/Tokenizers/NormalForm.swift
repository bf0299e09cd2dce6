import Foundation

/// The normal forms of Unicode (Unicode Standard Annex 15) with the characters of version 9.0; later
/// ones stay as they are, and nothing moves past them.
///
/// Of Foundation it uses what single characters decompose into and what two compose to: in longer
/// texts Foundation leaves some marks out of order and composes old Hangul wrongly.
enum NormalForm: String, CaseIterable, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  /// The normal form of a text.
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    // All characters below are in normal form, and compose with none of each other.
    let limit: UInt32 = self == .nfc ? 0x300 : 0x80
    if text.allSatisfy({ $0.value < limit }) { return text }
    let decomposed = ordered(text.flatMap(decomposition))
    return self == .nfc || self == .nfkc ? composed(decomposed) : decomposed.map(\.scalar)
  }

  /// A character with its combining class; 0 for base characters.
  private typealias Classified = (scalar: Unicode.Scalar, combining: UInt8)

  private func decomposition(_ scalar: Unicode.Scalar) -> [Classified] {
    let value = scalar.value
    // Most characters do not decompose.
    if value < 0xA0 || 0x3400...0x9FFF ~= value
      || !scalar.isAssigned(in: UnicodeVersion.normalization)
    {
      return [(scalar, 0)]
    }
    let text = String(scalar)
    let parts =
      self == .nfc || self == .nfd
      ? text.decomposedStringWithCanonicalMapping : text.decomposedStringWithCompatibilityMapping
    return parts.unicodeScalars.map { part -> Classified in
      (part, part.properties.canonicalCombiningClass.rawValue)
    }
  }

  /// Puts marks between base characters in the order of their classes, equal ones as they are.
  private func ordered(_ text: [Classified]) -> [Classified] {
    var text = text
    var start = 0
    while start < text.count {
      guard text[start].combining > 0 else {
        start += 1
        continue
      }
      let end = text[start...].firstIndex { $0.combining == 0 } ?? text.count
      if end - start > 1 {
        let marks = text[start..<end].enumerated().sorted {
          ($0.element.combining, $0.offset) < ($1.element.combining, $1.offset)
        }
        text.replaceSubrange(start..<end, with: marks.map(\.element))
      }
      start = end
    }
    return text
  }

  /// Joins base characters with the marks and letters behind them.
  private func composed(_ text: [Classified]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    /// The last base character, and the class of what stands last behind it.
    var base: Int?
    var last: UInt8 = 0
    for (scalar, combining) in text {
      let isReachable =
        base.map { $0 == result.count - 1 || last > 0 && last < combining } ?? false
      if let base, isReachable, let whole = Self.composition(result[base], scalar, combining) {
        result[base] = whole
        continue
      }
      if combining == 0 { base = result.count }
      last = combining
      result.append(scalar)
    }
    return result
  }

  /// The character that two compose to.
  private static func composition(
    _ first: Unicode.Scalar, _ second: Unicode.Scalar, _ combining: UInt8
  ) -> Unicode.Scalar? {
    switch second.value {
    // Vowels and final consonants of Hangul.
    case 0x1161...0x1175:
      guard 0x1100...0x1112 ~= first.value else { return nil }
      return Unicode.Scalar(
        0xAC00 + ((first.value - 0x1100) * 21 + second.value - 0x1161) * 28)
    case 0x11A8...0x11C2:
      guard 0xAC00...0xD7A3 ~= first.value, (first.value - 0xAC00) % 28 == 0 else { return nil }
      return Unicode.Scalar(first.value + second.value - 0x11A7)
    // Other characters without a class that compose are vowel signs of these blocks.
    case 0x900...0x10FF, 0x1B00...0x1B7F, 0x11000...0x11FFF: break
    default: if combining == 0 { return nil }
    }
    guard first.isAssigned(in: UnicodeVersion.normalization),
      second.isAssigned(in: UnicodeVersion.normalization)
    else { return nil }
    // Foundation composes the parts of a composed character with a third one, and not the whole.
    let pair = String(first).decomposedStringWithCanonicalMapping + String(second)
    let whole = pair.precomposedStringWithCanonicalMapping.unicodeScalars
    return whole.count == 1 ? whole.first : nil
  }
}
