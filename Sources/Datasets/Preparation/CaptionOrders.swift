import Foundation

/// The orders of the tags of a caption.
enum CaptionOrders {
  /// A caption as it is written, and with its comma-separated tags in random orders, the same ones each
  /// time; a caption without commas only as it is written.
  ///
  /// - Parameter count: the number of orders; some may be equal.
  static func of(_ caption: String, _ count: Int) -> [String] {
    let tags = caption.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
    guard count > 1, tags.count > 1 else { return [caption] }
    var random = SplitMix64(
      caption.utf8.reduce(0xCBF2_9CE4_8422_2325) {
        ($0 ^ UInt64($1)) &* 0x100_0000_01B3
      })
    return [caption]
      + (1..<count).map { _ in tags.shuffled(using: &random).joined(separator: ", ") }
  }
}
