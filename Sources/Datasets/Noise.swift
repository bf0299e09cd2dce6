import Foundation

/// Noise in ten classes, which no network can learn: for planning and timing.
public enum Noise {
  /// The number of classes.
  public static let classes = 10

  /// A batch: the same seed and number give the same one.
  ///
  /// - Parameters:
  ///   - count: how many samples.
  ///   - elements: the elements of a sample.
  ///   - number: the number of the batch among those of the seed.
  public static func batch(
    _ count: Int, elements: Int, seed: UInt64, number: UInt64
  ) -> (samples: [Float], classes: [Int32]) {
    var random = SplitMix64(seed &* 0x9E37_79B9_7F4A_7C15 &+ number)
    random = SplitMix64(random.next())
    let scale = 3.0.squareRoot()
    let samples = (0..<count * elements).map { _ -> Float in
      // A sum of four uniform numbers is close enough to a normal one. Integers make it fast, as a
      // GPU waits for the batch.
      let word = random.next()
      let sum =
        (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48 & 0xFFFF)
      return Float((Double(sum) / 65536 - 2) * scale)
    }
    return (samples, (0..<count).map { _ in Int32.random(in: 0..<Int32(classes), using: &random) })
  }
}
