import TestSupport

/// Changes bytes as transports and attackers do.
struct ByteMutator {
  /// The pieces that the format gives a meaning, to insert.
  let pieces: [[UInt8]]
  /// The longest result.
  let longest: Int

  /// A changed copy, by one to eight changes.
  func mutated(
    _ bytes: [UInt8], with others: [[UInt8]], _ random: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      change(&bytes, others, &random)
      if bytes.count > longest { bytes.removeLast(bytes.count - longest) }
    }
    return bytes
  }

  private func change(
    _ bytes: inout [UInt8], _ others: [[UInt8]], _ random: inout SeededGenerator
  ) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let range = place..<Int.random(in: place...min(bytes.count, place + 64), using: &random)
    switch Int.random(in: 0..<8, using: &random) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1 where place < bytes.count: bytes[place] = .random(in: .min ... .max, using: &random)
    case 2: bytes.removeLast(bytes.count - place)
    case 3: bytes.removeSubrange(range)
    case 4:
      let times = Int.random(in: 1...40, using: &random)
      let copies = repeatElement(Array(bytes[range]), count: times)
      bytes.insert(contentsOf: copies.joined(), at: place)
    case 5:
      guard let piece = pieces.randomElement(using: &random) else { return }
      bytes.insert(contentsOf: piece, at: place)
    case 6:
      // Splices in a part of another input.
      guard let other = others.randomElement(using: &random) else { return }
      let start = Int.random(in: 0...other.count, using: &random)
      bytes.replaceSubrange(place..., with: other[start...])
    default:
      // Numbers at their limits, in both orders of bytes.
      let numbers = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF]
      let number = numbers.randomElement(using: &random) ?? 0
      let width = [1, 2, 4].randomElement(using: &random) ?? 1
      let digits = (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      let isLittle = Bool.random(using: &random)
      bytes.replaceSubrange(
        place..<min(bytes.count, place + width), with: isLittle ? digits : digits.reversed())
    }
  }
}
